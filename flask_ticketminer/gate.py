"""The gate: ``@ticket_required`` and what happens when a request meets it.

A gated request is answered in one of four ways: a pass opens the view; a credential is reserved, the view runs, and the
payment is settled or released; the view runs unpaid where payment is optional; or the answer is 402.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import typing as t
import weakref
from datetime import timedelta

from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException

from flask_ticketminer.binding import Binding, mounted, request_binding, request_path
from flask_ticketminer.credential import Credential, header_credential
from flask_ticketminer.current import Payment, set_current
from flask_ticketminer.errors import (
    AddressTooLong,
    ConfigurationError,
    InProgress,
    InsecureTransport,
    OutcomeUnknown,
    PassInvalid,
    PaymentProblem,
    PaymentRequired,
    Problem,
)
from flask_ticketminer.forsale import Gate, Price, Sale
from flask_ticketminer.hostdb import discard_open_writes, refuse_open_writes
from flask_ticketminer.mint.ledger import Reservation, StoredPayment
from flask_ticketminer.passes import AccessPass, delete_pass_cookie, presented_pass, set_pass_cookie
from flask_ticketminer.payments import (
    access_pass,
    already_delivered,
    announce,
    check_binding,
    full_receipt,
    make_order,
    settled_before,
)
from flask_ticketminer.paywall import add_receipt, offer_payment, payment_required, remember_gate
from flask_ticketminer.signals import payment_released, tell
from flask_ticketminer.site import Site, current_site
from flask_ticketminer.transport import check_production, check_transport
from flask_ticketminer.wire import problem_response
from flask_ticketminer.wording import plural

View = t.Callable[..., t.Any]
T = t.TypeVar("T")
V = t.TypeVar("V", bound=View)

#: Functions that ``@ticket_required`` stands on, and what they wrap: an application that registered one without its gate is
#: found out.
gated_functions: weakref.WeakKeyDictionary[View, Gate] = weakref.WeakKeyDictionary()


def ticket_required(
    price: Price,
    *,
    valid_for: timedelta | None = None,
    scope: str | None = None,
    required: bool = True,
) -> t.Callable[[V], V]:
    """Let a view be seen only for tickets. Stands *under* ``@app.route``; works on functions, methods and async views.

    :param price: tickets, or a callable of the view's arguments; 0 is free.
    :param valid_for: how long one payment opens the same URL; without it, a payment is delivered once.
    :param scope: let one payment open every route of this scope (needs `valid_for`).
    :param required: with False the view also runs unpaid, and asks :data:`~flask_ticketminer.current_payment`.
    """
    if scope is not None and valid_for is None:
        raise ConfigurationError(
            "A scope needs valid_for: a pass for many routes must say how long it lasts."
        )
    gate = Gate(price, valid_for, scope, required)

    def decorate(view: V) -> V:
        for layer in _layers(view):
            gated_functions[layer] = gate
        return t.cast("V", gated(view, gate))

    return decorate


def gated(view: View, gate: Gate) -> View:
    """Return `view` behind `gate`; methods of a class-based view that have gates of their own keep them."""
    own = method_gates(view)

    @functools.wraps(view)
    def wrapper(*args: t.Any, **kwargs: t.Any) -> t.Any:
        def run() -> t.Any:
            return current_app.ensure_sync(view)(*args, **kwargs)

        return run() if request.method in own else pass_gate(gate, run)

    wrapper._ticketminer_gate = gate  # type: ignore[attr-defined]
    return wrapper


def gate_of(view: View) -> Gate | None:
    """Return the gate that all of `view` stands behind, looking through other decorators."""
    for layer in _layers(view):
        gate = getattr(layer, "_ticketminer_gate", None)
        if gate is None:
            gate = _gate_on(layer, "dispatch_request")
        if gate is not None:
            return t.cast("Gate", gate)
    return None


def method_gates(view: View) -> dict[str, Gate]:
    """Return the gates on single methods of a class-based view, by HTTP method."""
    gates = {
        method: gate
        for layer in _layers(view)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if (gate := _gate_on(layer, method.lower())) is not None
    }
    if "GET" in gates and not any(
        hasattr(getattr(layer, "view_class", None), "head") for layer in _layers(view)
    ):
        gates["HEAD"] = gates["GET"]
    return gates


def pass_gate(gate: Gate, run: t.Callable[[], t.Any]) -> t.Any:
    """Answer the current request: `run` the view if it is paid for or free, else ask for payment."""
    site = current_site()
    check_production(site.app, site.settings)
    if request.method == "OPTIONS":
        return current_app.make_default_options_response()
    remember_gate()
    sale = gate.sale()
    if sale.price == 0 and not sale.donation:
        return run()
    try:
        binding = request_binding()
    except AddressTooLong as problem:
        return problem_response(problem) if gate.required else run()
    try:
        check_transport(site.settings)
        access = presented_pass(sale.area(binding.digest), site.passes, site.clock.now())
        opened = access is not None and not access.single_use
        if access is not None and opened:
            set_current(Payment(access.payment_id.hex(), access.amount, by_pass=True))
        elif request.method != "HEAD":
            if access is not None and (response := _use_pass(site, sale, access, run)) is not None:
                return response
            credential = header_credential(site.settings, site.secrets)
            if credential is not None:
                return _pay(site, sale, binding, credential, run)
            if access is not None and gate.required:
                return _used_up(site, sale, binding, access)
    except InsecureTransport as problem:
        return problem_response(problem) if gate.required else run()
    except PaymentProblem as problem:
        return payment_required(site, sale, binding, problem)
    except _ViewRaised as raised:
        raise raised.error  # noqa: B904 - the view's own exception, as if there were no gate
    except Problem as problem:
        return problem_response(problem)
    if opened:
        return run()
    if gate.required:
        unpaid = PaymentRequired(f"This page costs {plural(sale.price, 'ticket')}.", amount=str(sale.price))
        return payment_required(site, sale, binding, unpaid)
    return offer_payment(site, sale, binding, current_app.make_response(run()))


class _ViewRaised(Exception):
    """Carries an exception of the view past the handlers above, which are for ours."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


def _pay(
    site: Site, sale: Sale, binding: Binding, credential: Credential, run: t.Callable[[], t.Any]
) -> Response:
    check_binding(credential, binding)
    site.ledger.verify(credential.tickets)
    with site.budgets.reservations:
        try:
            order = make_order(site, credential, sale, single_use=False)
            refuse_open_writes(site, sale.endpoint)
            reserved = site.ledger.reserve(order, verified=True)
        except Problem as problem:
            reserved = settled_before(site, credential, problem)
        if isinstance(reserved, StoredPayment):
            return _again(site, sale, reserved, run)
        return _pay_for(site, sale, reserved, run)


def _pay_for(site: Site, sale: Sale, reserved: Reservation, run: t.Callable[[], t.Any]) -> Response:
    order = reserved.plan.order
    set_current(Payment(order.payment_id.hex(), order.price))
    response = _run(site, sale, run, functools.partial(_release, site, sale, reserved))
    if not _delivered(response):
        return response
    settled = _surely(lambda: site.ledger.settle(reserved))
    if settled is None:
        raise _taken_over()
    announce(site, order, sale.endpoint)
    _attach(site, sale, settled, response)
    return response


def _again(site: Site, sale: Sale, stored: StoredPayment, run: t.Callable[[], t.Any]) -> Response:
    """Answer a credential that was settled before: as its pass would be, without charging again."""
    access = access_pass(stored, sale)
    if access is not None and access.single_use:
        response = _use_pass(site, sale, access, run)
        if response is None:
            raise already_delivered(stored)
        return response
    if access is None or site.clock.now() >= (access.expires or 0):
        raise already_delivered(stored)
    set_current(Payment(stored.payment_id.hex(), stored.price, by_pass=True))
    response = _run(site, sale, run, lambda: True)
    if _delivered(response):
        _attach(site, sale, stored, response)
    return response


def _use_pass(site: Site, sale: Sale, access: AccessPass, run: t.Callable[[], t.Any]) -> Response | None:
    """Open the view with a pass for one use; None when it was used before."""
    refuse_open_writes(site, sale.endpoint)
    use = site.ledger.begin_use(access.payment_id)
    if use is None:
        return None
    set_current(Payment(access.payment_id.hex(), access.amount, by_pass=True))
    response = _run(site, sale, run, functools.partial(site.ledger.abandon_use, use))
    if not _delivered(response):
        return response
    if not _surely(lambda: site.ledger.finish_use(use)):
        raise _taken_over()
    delete_pass_cookie(response, access, path=request_path())
    return response


def _used_up(site: Site, sale: Sale, binding: Binding, access: AccessPass) -> Response:
    problem = PassInvalid(
        "This pass opened its page once, and that has happened. Pay again to see it again.",
        amount=str(sale.price),
    )
    response = payment_required(site, sale, binding, problem)
    delete_pass_cookie(response, access, path=request_path())
    return response


def _run(site: Site, sale: Sale, run: t.Callable[[], t.Any], undo: t.Callable[[], bool]) -> Response:
    """Run the view. When it fails, `undo` what was begun; whatever it raises goes on to the host.

    :raises InProgress: it failed after others had taken over what was begun, who may yet succeed.
    """
    try:
        response = _answer(run)
        if _delivered(response):
            refuse_open_writes(site, sale.endpoint)
    except BaseException as error:
        if not _undo(site, undo) and isinstance(error, Exception):
            site.app.log_exception(sys.exc_info())
            raise _taken_over() from error
        raise _ViewRaised(error) from error
    if not _delivered(response) and not _undo(site, undo):
        raise _taken_over()
    return response


def _taken_over() -> InProgress:
    return InProgress("Another request took this over; send the same request again.", retry_after=1)


def _answer(run: t.Callable[[], t.Any]) -> Response:
    try:
        return current_app.make_response(run())
    except HTTPException as error:
        # abort(redirect(…)) delivers as returning it would.
        if error.response is None or error.response.status_code >= 400:
            raise
        return current_app.make_response(error.response)


def _undo(site: Site, undo: t.Callable[[], bool]) -> bool:
    """Return whether `undo` still had what it was to give back, as far as can be known."""
    discard_open_writes(site)
    with contextlib.suppress(Problem):  # the lease gives the tickets back where the database cannot now
        return undo()
    return True


def _surely(step: t.Callable[[], T]) -> T:
    """Return what `step` returns, taken once more when its outcome is unknown.

    The step compares the fencing number, so the second time finds what the first one did. The view has run by now: an
    answer that could not be repeated would be paid for and never seen.
    """
    try:
        return step()
    except OutcomeUnknown:
        return step()


def _delivered(response: Response) -> bool:
    return response.status_code < 400 and response.status_code != 304


def _release(site: Site, sale: Sale, reserved: Reservation) -> bool:
    order = reserved.plan.order
    released = site.ledger.release(reserved)
    if released:
        news = {"amount": order.price, "endpoint": sale.endpoint, "payment_id": order.payment_id.hex()}
        tell(payment_released, site.app, **news)
    return released


def _attach(site: Site, sale: Sale, stored: StoredPayment, response: Response) -> None:
    access, document = access_pass(stored, sale), None
    if access is not None:
        token = access.token(site.passes)
        document = access.document(token)
        path = mounted("/") if sale.scope is not None else request_path()
        set_pass_cookie(response, access, token, path=path, now=site.clock.now())
    add_receipt(response, full_receipt(stored, document))


def _layers(view: View) -> t.Iterator[View]:
    """Yield `view` and what its decorators wrap."""
    found: View | None = view
    while found is not None:
        yield found
        found = getattr(found, "__wrapped__", None)


def _gate_on(view: View, name: str) -> Gate | None:
    """Return the gate on the method called `name` of a class-based view."""
    method = getattr(getattr(view, "view_class", None), name, None)
    return t.cast("Gate | None", getattr(method, "_ticketminer_gate", None))
