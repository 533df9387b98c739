"""Requests that schemathesis makes from the OpenAPI document, fitting it and not, some with real values inside."""

from __future__ import annotations

import copy

import schemathesis
from fuzz_site import Fuzzer, repeat
from fuzz_stock import Stock
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import positive_data_acceptance
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import ignored_auth
from visitor import PREFIX
from werkzeug.test import Client, TestResponse

_EARNED = ("submit", "redeem", "donate")
"""Operations whose fitting requests are refused all the same: work and tickets cannot be made up."""


def fuzz_document(fuzzer: Fuzzer, number: int, start: int) -> None:
    """Send about `number` requests by the document that the site serves."""
    schema = schemathesis.openapi.from_wsgi(f"{PREFIX}/openapi.json", fuzzer.app)
    operations = [result.ok() for result in schema.get_all_operations()]
    takers = [
        operation
        for operation in operations
        if operation.body or operation.query or operation.path_parameters
    ]
    for operation in operations:
        if operation not in takers:
            _ask(fuzzer, operation, GenerationMode.POSITIVE, 1, start)
    share = number // (2 * len(takers))
    for operation in takers:
        for mode in GenerationMode:
            _ask(fuzzer, operation, mode, share, start)


def _ask(fuzzer: Fuzzer, operation: APIOperation, mode: GenerationMode, number: int, start: int) -> None:
    """Send `number` requests to `operation`."""
    positive = mode is GenerationMode.POSITIVE

    @repeat(number, start, case=operation.as_strategy(generation_mode=mode), real=st.integers(0, 15))
    def ask(case: Case, real: int) -> None:
        if positive:
            _put_real_values(case, fuzzer.stock, real)
        reply = Client(fuzzer.app, fuzzer.app.response_class).open(**case.as_transport_kwargs())
        shown = case.as_curl_command()[:1500]
        fuzzer.note(operation.path, operation.method, shown, reply)
        fuzzer.judge(shown, _failures(case, reply, positive))


def _put_real_values(case: Case, stock: Stock, real: int) -> None:
    """Replace some values that fit by ones that the site knows; the bits of `real` say which."""
    # What was generated may be generated again, so it is copied.
    if "key_id" in case.path_parameters and real & 1:
        case.path_parameters = {**case.path_parameters, "key_id": stock.key_id()}
    if not isinstance(case.body, dict):
        return
    body = case.body = copy.deepcopy(case.body)
    if "job" in body and real & 3:
        body["job"] = stock.job_token()
    if "key_id" in body and real & 3:
        body["key_id"] = stock.key_id()
    if "consent" in body and real & 3:
        body["consent"] = stock.consent
    payload = body.get("payload")
    if isinstance(payload, dict) and real & 3:
        payload["tickets"] = [stock.ticket()]
        if real & 4:
            body.pop("challenge", None)
            payload["outputs"] = [stock.output(1).member()]
        elif real & 8:
            body["challenge"] = stock.challenge()


def _failures(case: Case, reply: TestResponse, positive: bool) -> list[str]:
    """Return what schemathesis has against `reply`."""
    excluded = [ignored_auth]  # it asks again, beside the books
    if case.operation.definition.raw["operationId"] in _EARNED and positive:
        excluded.append(positive_data_acceptance)
    try:
        case.validate_response(reply, excluded_checks=excluded)
    except FailureGroup as group:
        return [f"{failure.title}: {failure.message}"[:600] for failure in group.exceptions]
    return []
