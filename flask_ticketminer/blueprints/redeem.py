"""``POST /ticketminer/redeem``: pay, exchange, or post the form of the 402 page. And the donation route."""

from __future__ import annotations

import typing as t

from flask import Blueprint, Response, redirect, request
from werkzeug.exceptions import HTTPException

from flask_ticketminer.binding import mounted
from flask_ticketminer.challenge import Challenge, read_challenge
from flask_ticketminer.credential import Credential, decode_credential, read_credential
from flask_ticketminer.donations import donate
from flask_ticketminer.errors import MalformedCredential, MalformedRequest, PaymentProblem, Problem
from flask_ticketminer.forsale import Sale, sale_of
from flask_ticketminer.mint.ledger import StoredPayment
from flask_ticketminer.passes import AccessPass, set_pass_cookie
from flask_ticketminer.payments import (
    access_pass,
    announce,
    exchange_order,
    make_order,
    receipt,
    settled_before,
)
from flask_ticketminer.paywall import add_challenge, challenge_again, payment_page
from flask_ticketminer.site import Site, current_site
from flask_ticketminer.wire import json_response, problem_response, read_json
from miner.tokens import CodecError, b64url, decode_json, unb64url

PAYMENT_CODE = "ticketminer-payment-1."
TICKETS_CODE = "ticketminer-tickets-1."


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("redeem", __name__)
    blueprint.add_url_rule("/redeem", "redeem", redeem, methods=["POST"])
    blueprint.add_url_rule("/donate", "donate", donate)
    return blueprint


def redeem() -> Response:
    """Spend tickets: a credential as JSON, or the form of the 402 page."""
    site = current_site()
    if request.mimetype == "application/x-www-form-urlencoded":
        return _redeem_form(site)
    members = read_json(required=("payload",), optional=None)
    try:
        credential = read_credential(
            members, site.settings, site.secrets, exchange="challenge" not in members
        )
    except PaymentProblem as problem:
        return _refused(problem)
    if credential.challenge is None:
        return _exchange(site, credential)
    try:
        stored, sale = _pay(site, credential)
    except PaymentProblem as problem:
        return _refused(problem, site, credential)
    resource = credential.challenge.resource
    access = None if sale is None else access_pass(stored, sale)
    if access is None or sale is None:
        return json_response(_answer(stored, None, resource))
    token = access.token(site.passes)
    response = json_response(_answer(stored, access.document(token), resource))
    _set_cookie(site, response, access, token, sale, resource)
    return response


def _pay(
    site: Site, credential: Credential, *, donate_rest: bool = False
) -> tuple[StoredPayment, Sale | None]:
    """Return the settled payment of `credential`, settling it now unless it already was, and what it paid for.

    The sale is None when it was settled before and the resource is no longer for sale: the change is still returned.
    """
    challenge = credential.challenge
    if challenge is None:
        raise MalformedCredential("A payment repeats the challenge that it answers.")
    site.ledger.verify(credential.tickets)
    sale = None
    try:
        sale = sale_of(site, challenge)
        order = make_order(site, credential, sale, single_use=sale.valid_for is None, donate_rest=donate_rest)
        stored = site.ledger.pay_at_once(order, verified=True)
    except Problem as problem:
        return settled_before(site, credential, problem), sale
    except HTTPException:  # the price callable's: the resource may be gone, what it gave in change is not
        settled = site.ledger.find_payment(credential.payment_id)
        if settled is None or not settled.is_settled:
            raise
        return settled, None
    if not stored.replayed:
        announce(site, order, sale.endpoint)
    return stored, sale


def _exchange(site: Site, credential: Credential) -> Response:
    try:
        site.ledger.verify(credential.tickets)
        stored = site.ledger.find_payment(credential.payment_id)
        if stored is None or not stored.is_settled:
            keys = [site.keys.find(token.key_id) for token in credential.tickets]
            order = exchange_order(site, credential)
            with site.budgets.exchange(keys, len(order.outputs), site.clock.now()):
                stored = site.ledger.pay_at_once(order, verified=True)
    except PaymentProblem as problem:
        return _refused(problem)
    return json_response(_answer(stored, None, None))


def _answer(
    stored: StoredPayment, pass_document: dict[str, t.Any] | None, location: str | None
) -> dict[str, t.Any]:
    return {
        "receipt": receipt(stored),
        "change": [b64url(signature) for signature in stored.change],
        "pass": pass_document,
        "location": location,
    }


def _set_cookie(
    site: Site, response: Response, access: AccessPass, token: str, sale: Sale, resource: str
) -> None:
    path = mounted("/") if sale.scope is not None else resource.partition("?")[0]
    set_pass_cookie(response, access, token, path=path, now=site.clock.now())


def _refused(
    problem: PaymentProblem, site: Site | None = None, credential: Credential | None = None
) -> Response:
    """Return `problem`: 402 with a fresh challenge where the challenge was ours, else 400 (a 402 needs a challenge)."""
    response = problem_response(problem)
    again = None
    if site is not None and credential is not None and credential.challenge is not None:
        again = challenge_again(site, credential.challenge)
    if again is not None:
        add_challenge(response, again)
    elif response.status_code == 402:
        document = {**problem.document(), "status": 400}
        response = json_response(document, status=400, mimetype="application/problem+json")
    return response


def _redeem_form(site: Site) -> Response:
    """Spend what a visitor pasted, and go on to the page (303), or show the 402 page again with the reason."""
    # The answer sets a cookie: sent by a page of others, an old payment would take the place of the visitor's own pass.
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise MalformedRequest(
            "The form was sent by a page of another site: open the page here and pay there."
        )
    challenge = _form_challenge(site, request.form.get("challenge", ""))
    try:
        credential = _form_credential(site, challenge, request.form.get("tickets", ""))
        stored, sale = _pay(site, credential, donate_rest=request.form.get("donate_rest") == "yes")
    except PaymentProblem as problem:
        return payment_page(site, challenge, problem)
    except Problem as problem:
        return payment_page(site, challenge, problem, same_offer=True)
    resource = challenge.resource if credential.challenge is None else credential.challenge.resource
    response = t.cast("Response", redirect(resource, 303))
    response.headers["Cache-Control"] = "no-store"
    access = None if sale is None else access_pass(stored, sale)
    if access is not None and sale is not None:
        _set_cookie(site, response, access, access.token(site.passes), sale, resource)
    return response


def _form_challenge(site: Site, text: str) -> Challenge:
    try:
        return read_challenge(site.secrets, decode_json(unb64url(text, name="The form's challenge")))
    except (CodecError, PaymentProblem) as error:
        raise MalformedRequest("The form is incomplete or was altered: load the page again.") from error


def _form_credential(site: Site, challenge: Challenge, pasted: str) -> Credential:
    """Return the credential in what a visitor pasted: a payment code, or bare tickets for the page's own challenge."""
    text = "".join(pasted.split())
    if text.startswith(PAYMENT_CODE):
        return decode_credential(text.removeprefix(PAYMENT_CODE), site.settings, site.secrets)
    if not text.startswith(TICKETS_CODE):
        raise MalformedCredential(
            f"Paste what “ticketminer pay” or “ticketminer wallet send” printed: it begins with {PAYMENT_CODE} or {TICKETS_CODE}"
        )
    try:
        members = decode_json(unb64url(text.removeprefix(TICKETS_CODE), name="The pasted text"))
    except CodecError as error:
        raise MalformedCredential(
            "The pasted text is incomplete: copy it whole.", cause=error.cause
        ) from error
    payload = {"tickets": members.get("tickets")}
    return read_credential(
        {"challenge": challenge.echo(), "payload": payload}, site.settings, site.secrets, exchange=False
    )
