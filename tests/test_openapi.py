"""The OpenAPI document: valid, complete, and true of what the endpoints answer."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from sites import DEFAULT_WORK, Shop, make_shop
from visitor import PREFIX, Visitor
from werkzeug.test import TestResponse

from flask_ticketminer.clock import ManualClock
from miner.tokens import b64url, jcs

Document = dict[str, t.Any]


@pytest.fixture
def shop(tmp_path: pathlib.Path, manual_clock: ManualClock) -> Shop:
    return make_shop(tmp_path, "sqlite://", manual_clock)


@pytest.fixture
def document(shop: Shop) -> Document:
    return t.cast("Document", shop.app.test_client().get(f"{PREFIX}/openapi.json").json)


def validator(document: Document, schema: Document) -> Draft202012Validator:
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    registry: Registry[t.Any] = Registry().with_resource("urn:document", resource)
    schema = json.loads(json.dumps(schema).replace('"#/', '"urn:document#/'))
    return Draft202012Validator(schema, registry=registry, format_checker=FormatChecker())


def component(document: Document, name: str) -> Draft202012Validator:
    return validator(document, {"$ref": f"#/components/schemas/{name}"})


def check(document: Document, operation: tuple[str, str], reply: TestResponse) -> int:
    """Check that `reply` is one that `document` announces, and return its status."""
    path, method = operation
    responses = document["paths"][path][method]["responses"]
    assert str(reply.status_code) in responses, (reply.status_code, reply.data)
    response = responses[str(reply.status_code)]
    for name, header in response.get("headers", {}).items():
        assert name in reply.headers or not header.get("required"), name
    content = response.get("content", {})
    assert not reply.data or reply.mimetype in content
    if reply.data and reply.mimetype.endswith("json"):
        validator(document, content[reply.mimetype]["schema"]).validate(reply.get_json(force=True))
    return reply.status_code


def test_document_is_valid_openapi(document: Document) -> None:
    validate(document)


def test_every_endpoint_is_described_and_nothing_else(shop: Shop, document: Document) -> None:
    registered = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in shop.app.url_map.iter_rules()
        if rule.endpoint.startswith("ticketminer.")
        if rule.endpoint not in ("ticketminer.static", "ticketminer.assets.asset")  # files
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(path, method) for path, item in document["paths"].items() for method in item}
    assert described == registered


def test_prefix_and_mount_point_are_in_the_addresses(
    tmp_path: pathlib.Path, manual_clock: ManualClock
) -> None:
    shop = make_shop(tmp_path, "sqlite://", manual_clock, TICKETMINER_URL_PREFIX="/pay")
    reply = shop.app.test_client().get("/pay/openapi.json", base_url="http://localhost/mounted/")
    assert reply.json is not None
    assert reply.json["servers"] == [{"url": "/mounted"}]
    assert "/pay/job" in reply.json["paths"]


def test_limits_are_the_settings(tmp_path: pathlib.Path, manual_clock: ManualClock) -> None:
    shop = make_shop(tmp_path, "sqlite://", manual_clock, TICKETMINER_MAX_INPUTS=7, TICKETMINER_MAX_OUTPUTS=5)
    document = t.cast("Document", shop.app.test_client().get(f"{PREFIX}/openapi.json").json)
    payload = document["components"]["schemas"]["RedeemRequest"]["properties"]["payload"]["properties"]
    assert (payload["tickets"]["maxItems"], payload["outputs"]["maxItems"]) == (7, 5)


def test_examples_fit_their_schemas(document: Document) -> None:
    examples = [
        (media["schema"], media["example"])
        for item in document["paths"].values()
        for operation in item.values()
        for part in (operation.get("requestBody", {}), *operation["responses"].values())
        for media in part.get("content", {}).values()
        if "example" in media
    ]
    assert len(examples) > 20
    for schema, example in examples:
        validator(document, schema).validate(example)


@pytest.mark.parametrize(
    ("schema", "change"),
    [
        ("JobRequest", {"speed": 12}),
        ("JobRequest", {"value": 3}),
        ("JobRequest", {"value": True}),
        ("JobRequest", {"algorithms": []}),
        ("JobRequest", {"algorithms": ["randomx"]}),
        ("JobRequest", {"fund": "roads", "donate": True}),
        ("JobRequest", {"fund": "articles"}),
        ("SubmitRequest", {"nonce": "00" * 7}),
        ("SubmitRequest", {"nonce": "0A" * 8}),
        ("SubmitRequest", {"token_request": "A" * 345 + "B"}),
        ("SubmitRequest", {"mix": "00" * 32}),
        ("RedeemRequest", {"payload": {"tickets": []}}),
        ("RedeemRequest", {"payload": {"tickets": ["A" * 472]}}),
        ("RedeemRequest", {"challenge": "later"}),
        ("RestoreRequest", {"hashes": ["00" * 32] * 257}),
        ("RestoreRequest", {"key_id": "00" * 31}),
    ],
)
def test_schema_refuses_what_the_endpoint_refuses(
    shop: Shop, document: Document, schema: str, change: dict[str, t.Any]
) -> None:
    path = {"JobRequest": "job", "SubmitRequest": "submit", "RedeemRequest": "redeem"}.get(schema, "restore")
    media = document["paths"][f"{PREFIX}/{path}"]["post"]["requestBody"]["content"]["application/json"]
    request = {**media["example"], **change}
    assert not component(document, schema).is_valid(request)
    reply = Visitor(shop.app).post(f"/{path}", request)
    assert check(document, (f"{PREFIX}/{path}", "post"), reply) == 400


@pytest.mark.parametrize(
    ("path", "address", "status"),
    [
        ("/", "/", 200),
        ("/keys", "/keys", 200),
        ("/keys/{key_id}/spent", "/keys/00/spent", 400),
        ("/keys/{key_id}/spent", f"/keys/{'00' * 32}/spent", 404),
        ("/tip/{algorithm}", f"/tip/{DEFAULT_WORK}", 404),
        ("/tip/{algorithm}", "/tip/ethash", 400),
        ("/donate", "/donate?amount=5", 402),
        ("/donate", "/donate?amount=0", 400),
        ("/donate", "/donate?amount=9&fund=roads", 400),
        ("/stats", "/stats", 200),
        ("/openapi.json", "/openapi.json", 200),
    ],
)
def test_answers_to_get_are_described(
    shop: Shop, document: Document, path: str, address: str, status: int
) -> None:
    reply = shop.app.test_client().get(PREFIX + address)
    assert check(document, (PREFIX + path, "get"), reply) == status


def test_dashboard_is_a_page(shop: Shop, document: Document) -> None:
    reply = shop.app.test_client().get(f"{PREFIX}/dashboard")
    assert check(document, (f"{PREFIX}/dashboard", "get"), reply) == 200


def test_conditional_requests_are_described(shop: Shop, document: Document) -> None:
    client = shop.app.test_client()
    etag = client.get(f"{PREFIX}/keys").headers["ETag"]
    operation = (f"{PREFIX}/keys", "get")
    reply = client.get(f"{PREFIX}/keys", headers={"If-None-Match": etag})
    assert check(document, operation, reply) == 304
    reply = client.get(f"{PREFIX}/keys", headers={"If-Match": '"other"'})
    assert check(document, operation, reply) == 412


def test_spent_file_is_described(shop: Shop, document: Document) -> None:
    visitor = Visitor(shop.app)
    reply = visitor.get(f"{PREFIX}/keys/{visitor.entries()[0]['key-id']}/spent")
    assert check(document, (f"{PREFIX}/keys/{{key_id}}/spent", "get"), reply) == 200


@pytest.mark.parametrize("path", ["job", "submit", "redeem", "restore"])
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": b"{}", "content_type": "text/plain"}, 415),
        ({"data": b"[]", "content_type": "application/json"}, 400),
        ({"data": b" " * 70000, "content_type": "application/json"}, 413),
        ({"json": {}, "base_url": "http://shop.example"}, 403),
    ],
)
def test_refused_bodies_are_described(
    shop: Shop, document: Document, path: str, options: dict[str, t.Any], status: int
) -> None:
    reply = shop.app.test_client().post(f"{PREFIX}/{path}", **options)
    assert check(document, (f"{PREFIX}/{path}", "post"), reply) == status


def test_the_life_of_a_ticket_is_described(shop: Shop, document: Document) -> None:
    visitor = Visitor(shop.app)
    schema, job = "JobRequest", visitor.job_request(value=4)
    component(document, schema).validate(job)
    reply = visitor.post("/job", job)
    assert check(document, (f"{PREFIX}/job", "post"), reply) == 200
    made = t.cast("Document", reply.json)
    output = visitor.output(key_id=made["key_id"])
    share = visitor.share(made, output)
    component(document, "SubmitRequest").validate(share)
    reply = visitor.post("/submit", share)
    assert check(document, (f"{PREFIX}/submit", "post"), reply) == 200
    ticket = output.ticket(t.cast("Document", reply.json)["token_response"])
    credential = visitor.credential("/report", [ticket], [visitor.output(1)])
    component(document, "RedeemRequest").validate(credential)
    reply = visitor.post("/redeem", credential)
    assert check(document, (f"{PREFIX}/redeem", "post"), reply) == 200


def test_restored_signatures_are_described(shop: Shop, document: Document) -> None:
    visitor = Visitor(shop.app)
    body = {"key_id": visitor.entries()[0]["key-id"], "hashes": ["00" * 32]}
    assert check(document, (f"{PREFIX}/restore", "post"), visitor.post("/restore", body)) == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"job": "forged"}, 400),
        ({"value": 2}, 400),
    ],
)
def test_refused_shares_are_described(
    shop: Shop, document: Document, changes: dict[str, t.Any], status: int
) -> None:
    visitor = Visitor(shop.app)
    job = visitor.job()
    share = visitor.share(job, visitor.output(key_id=job["key_id"]))
    reply = visitor.post("/submit", {**share, **changes})
    assert check(document, (f"{PREFIX}/submit", "post"), reply) == status


def test_missed_repeated_and_late_shares_are_described(shop: Shop, document: Document) -> None:
    visitor = Visitor(shop.app)
    job = visitor.job(value=8)
    share = visitor.share(job, visitor.output(key_id=job["key_id"]))
    miss = {**share, "nonce": next(visitor.nonces(job, hits=False))}
    operation = (f"{PREFIX}/submit", "post")
    assert check(document, operation, visitor.post("/submit", miss)) == 422
    assert check(document, operation, visitor.post("/submit", share)) == 200
    other = {**share, "token_request": visitor.token_request(visitor.output(key_id=job["key_id"]))}
    assert check(document, operation, visitor.post("/submit", other)) == 409
    shop.clock.advance(3600)
    nonces = visitor.nonces(job)
    late = {**share, "nonce": next(nonce for nonce in nonces if nonce != share["nonce"])}
    assert check(document, operation, visitor.post("/submit", late)) == 410


def test_refused_payments_are_described(shop: Shop, document: Document) -> None:
    visitor = Visitor(shop.app)
    operation = (f"{PREFIX}/redeem", "post")
    ticket = visitor.ticket()
    short = visitor.credential("/report", [ticket])
    assert check(document, operation, visitor.post("/redeem", short)) == 402
    exchange = {"payload": {"tickets": [ticket], "outputs": [visitor.output(2).member()]}}
    assert check(document, operation, visitor.post("/redeem", exchange)) == 400
    form = {"challenge": "AAAA", "tickets": ""}
    assert check(document, operation, visitor.client.post(f"{PREFIX}/redeem", data=form)) == 400


def test_form_payments_are_described(shop: Shop, document: Document) -> None:
    visitor = Visitor(shop.app)
    operation = (f"{PREFIX}/redeem", "post")
    page = visitor.get("/once", headers={"Accept": "text/html"})
    challenge = t.cast("re.Match[str]", re.search(r'name="challenge" value="([^"]+)"', page.text))[1]
    empty = visitor.client.post(f"{PREFIX}/redeem", data={"challenge": challenge, "tickets": "x"})
    assert check(document, operation, empty) == 402
    code = "ticketminer-tickets-1." + b64url(
        jcs({"origin": "http://localhost", "tickets": [visitor.ticket()]})
    )
    paid = visitor.client.post(f"{PREFIX}/redeem", data={"challenge": challenge, "tickets": code})
    assert check(document, operation, paid) == 303


def test_paid_donation_is_described(shop: Shop, document: Document) -> None:
    visitor = Visitor(shop.app)
    path = f"{PREFIX}/donate?amount=1"
    credential = visitor.credential(path, [visitor.ticket()])
    operation = (f"{PREFIX}/donate", "get")
    assert check(document, operation, visitor.pay(path, credential)) == 200
    assert check(document, operation, visitor.pay(path, credential)) == 409
