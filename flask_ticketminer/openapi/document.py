"""The document: which endpoint takes and answers what."""

from __future__ import annotations

import typing as t

from flask import has_request_context, request

from flask_ticketminer import errors
from flask_ticketminer.config import Settings
from flask_ticketminer.mint.directory import MEDIA_TYPE, WELL_KNOWN
from flask_ticketminer.openapi.examples import examples
from flask_ticketminer.openapi.problems import (
    HELD,
    LOST,
    PAID,
    POSTED,
    SIGNED,
    STORED,
    refusals,
)
from flask_ticketminer.openapi.schemas import components, ref
from flask_ticketminer.openapi.strings import KEY_ID, PATH, Schema
from flask_ticketminer.passes import HEADER
from flask_ticketminer.paywall import RECEIPT_HEADER
from miner.tokens import MAX_AMOUNT

if t.TYPE_CHECKING:
    from flask_ticketminer.site import Site

_FORM = "application/x-www-form-urlencoded"
_HTML: Schema = {"text/html": {"schema": {"type": "string"}}}
_ETAG: Schema = {"ETag": {"schema": {"type": "string"}}}


def openapi_document(site: Site) -> dict[str, t.Any]:
    """Return the OpenAPI 3.1 document of `site`: every endpoint, every status that it answers, this site's limits.

    In a request, the server's address is the application's mount point. Static files and the assets are left out.
    """
    settings = site.settings
    prefix = settings.url_prefix
    samples = examples(settings)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Flask-TicketMiner",
            "version": "1",
            "summary": "Tickets for work, and pages for tickets.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": (request.root_path if has_request_context() else "") or "/"}],
        "paths": {
            f"{prefix}/": {"get": _service()},
            f"{prefix}/keys": {"get": _directory("keys")},
            WELL_KNOWN: {"get": _directory("wellKnownKeys")},
            f"{prefix}/keys/{{key_id}}/spent": {"get": _spent()},
            f"{prefix}/job": {"post": _job(samples)},
            f"{prefix}/tip/{{algorithm}}": {"get": _tip(settings)},
            f"{prefix}/submit": {"post": _submit(samples)},
            f"{prefix}/redeem": {"post": _redeem(samples)},
            f"{prefix}/donate": {"get": _donate(settings)},
            f"{prefix}/restore": {"post": _restore(samples)},
            f"{prefix}/dashboard": {"get": _dashboard()},
            f"{prefix}/wallet": {"get": _page("wallet", "The wallet in the page")},
            f"{prefix}/about": {"get": _page("about", "What mining and paying in the page means")},
            f"{prefix}/element.js": {"get": _element()},
            f"{prefix}/stats": {"get": _stats()},
            f"{prefix}/openapi.json": {"get": _openapi()},
        },
        "components": {
            "schemas": components(settings),
            "securitySchemes": {
                "payment": {
                    "type": "http",
                    "scheme": "Payment",
                    "description": "The credential that answers a 402's challenge (draft-httpauth-payment).",
                },
                "pass": {"type": "apiKey", "in": "header", "name": HEADER},
            },
        },
    }


def _operation(name: str, tag: str, summary: str, responses: Schema, **members: t.Any) -> Schema:
    return {"operationId": name, "tags": [tag], "summary": summary, **members, "responses": responses}


def _json(schema: str, description: str, samples: Schema | None = None) -> Schema:
    return {"description": description, "content": _content(schema, samples)}


def _content(schema: str, samples: Schema | None, media_type: str = "application/json") -> Schema:
    media: Schema = {"schema": ref(schema)}
    if samples is not None:
        media["example"] = samples[schema]
    return {media_type: media}


def _body(schema: str, samples: Schema) -> Schema:
    return {"required": True, "content": _content(schema, samples)}


def _cached(success: Schema) -> dict[str, Schema]:
    return {
        "200": {**success, "headers": _ETAG},
        "304": {"description": "Unchanged since the ETag in If-None-Match."},
        "412": {**success, "description": "Changed since the ETag in If-Match."},
    }


def _service() -> Schema:
    return _operation(
        "service", "site", "What this site offers", {"200": _json("Service", "The service document.")}
    )


def _directory(name: str) -> Schema:
    success = {
        "description": "The directory: the same bytes for everyone.",
        "content": _content("Directory", None, MEDIA_TYPE),
    }
    return _operation(name, "tickets", "The ticket keys", {**_cached(success), **refusals(*SIGNED)})


def _spent() -> Schema:
    success = {
        "description": "SHA-256(nonce)[:8] of each spent ticket of this key, sorted.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
    return _operation(
        "spent",
        "tickets",
        "What is spent of one key",
        {**_cached(success), **refusals(errors.MalformedRequest, errors.NoSuchKey, *STORED)},
        parameters=[{"name": "key_id", "in": "path", "required": True, "schema": KEY_ID}],
    )


def _job(samples: Schema) -> Schema:
    refused = refusals(
        *POSTED,
        errors.BadAmount,
        errors.UnknownAlgorithm,
        errors.UnknownFund,
        errors.ConsentRequired,
        errors.NoWork,
        *SIGNED,
    )
    return _operation(
        "job",
        "work",
        "Fetch work, once the visitor has agreed",
        {"200": _json("Job", "A job.", samples), **refused},
        requestBody=_body("JobRequest", samples),
    )


def _tip(settings: Settings) -> Schema:
    algorithm = {"type": "string", "enum": list(settings.algorithms)}
    if settings.offered_coins:
        success = {"description": "What names the work that is good now.", "content": _content("Tip", None)}
        answers = {**_cached(success), **refusals(errors.UnknownAlgorithm, *STORED, errors.NoWork)}
    else:
        answers = refusals(errors.UnknownAlgorithm, errors.NoTip)
    return _operation(
        "tip",
        "work",
        "Whether work from upstream is still good; local work has no tip",
        answers,
        parameters=[{"name": "algorithm", "in": "path", "required": True, "schema": algorithm}],
    )


def _submit(samples: Schema) -> Schema:
    refused = refusals(
        *POSTED,
        errors.ForgedJob,
        errors.WrongKey,
        errors.BlindedMessageRange,
        errors.BadAmount,
        errors.ValueMismatch,
        errors.ShareMissesTarget,
        errors.ExpiredJob,
        errors.StaleJob,
        errors.DuplicateShare,
        errors.OutputAlreadySigned,
        *LOST,
    )
    return _operation(
        "submit",
        "work",
        "Hand in a share and get its ticket signed",
        {"200": _json("SubmitResponse", "Accepted, now or when it was sent before.", samples), **refused},
        requestBody=_body("SubmitRequest", samples),
    )


def _redeem(samples: Schema) -> Schema:
    refused = refusals(
        *POSTED,
        *PAID,
        errors.WrongResource,
        errors.NotFound,
        errors.BlindedMessageRange,
        *HELD,
        *LOST,
    )
    _for_people(refused)
    refused["400"]["description"] += (
        "\n\nAn exchange answers the causes of 402 with 400: it has no challenge."
    )
    moved = {
        "description": "Paid by form: on to the page.",
        "content": _HTML,
        "headers": {"Location": {"required": True, "schema": PATH}},
    }
    content = {
        **_content("RedeemRequest", samples),
        _FORM: {"schema": ref("RedeemForm")},
    }
    return _operation(
        "redeem",
        "tickets",
        "Pay for a page, or exchange tickets",
        {"200": _json("RedeemResponse", "Paid, now or before.", samples), "303": moved, **refused},
        requestBody={"required": True, "content": content},
    )


def _for_people(refused: Schema) -> None:
    """Add the page that a browser gets instead of the problem document."""
    for response in refused.values():
        response["content"].update(_HTML)


def _donate(settings: Settings) -> Schema:
    amount = {"type": "integer", "minimum": 1, "maximum": MAX_AMOUNT}
    refused = refusals(
        errors.BadAmount,
        errors.UnknownFund,
        errors.PaymentRequired,
        *PAID,
        errors.WrongResource,
        errors.PassInvalid,
        errors.AddressTooLong,
        errors.InsecureTransport,
        *HELD,
        errors.BlindedMessageRange,
        errors.AlreadyDelivered,
        *LOST,
    )
    _for_people(refused)
    thanks = {
        "description": "Thanks.",
        "content": _HTML,
        "headers": {RECEIPT_HEADER: {"schema": {"type": "string"}}},
    }
    return _operation(
        "donate",
        "tickets",
        "Donate tickets",
        {"200": thanks, **refused},
        parameters=[
            {
                "name": "amount",
                "in": "query",
                "schema": amount,
                "description": "At least the fund's minimum.",
            },
            {"name": "fund", "in": "query", "schema": {"type": "string", "enum": ["", *settings.funds]}},
        ],
        security=[{"payment": []}, {"pass": []}],
    )


def _restore(samples: Schema) -> Schema:
    return _operation(
        "restore",
        "tickets",
        "Get signatures again that were given before",
        {
            "200": _json("RestoreResponse", "In the order asked for.", samples),
            **refusals(*POSTED, errors.NoSuchKey, *STORED),
        },
        requestBody=_body("RestoreRequest", samples),
    )


def _dashboard() -> Schema:
    return _page("dashboard", "Public counters", *STORED)


def _page(name: str, summary: str, *refused: type[errors.Problem]) -> Schema:
    page = {"description": "A page for people.", "content": _HTML}
    return _operation(name, "site", summary, {"200": page, **refusals(*refused)})


def _element() -> Schema:
    moved = {
        "description": "To the script's present address.",
        "content": _HTML,
        "headers": {"Location": {"required": True, "schema": PATH}},
    }
    responses = {"302": moved, **refusals(errors.NoSuchAsset)}
    return _operation("element", "site", "The script that defines <ticket-miner>", responses)


def _stats() -> Schema:
    return _operation(
        "stats",
        "site",
        "Public counters",
        {"200": _json("Statistics", "Sums over the life of the site."), **refusals(*STORED)},
    )


def _openapi() -> Schema:
    document = {
        "description": "This document.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
    return _operation("openapi", "site", "This document", {"200": document})
