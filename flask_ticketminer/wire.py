"""Reading requests strictly and answering problems: what every endpoint shares."""

from __future__ import annotations

import json
import typing as t

from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from flask_ticketminer.errors import BodyTooLarge, MalformedRequest, Problem, UnsupportedMediaType
from miner.tokens import CodecError, decode_json

PROBLEM_JSON = "application/problem+json"

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def read_json(*, required: t.Collection[str], optional: t.Collection[str] | None = ()) -> dict[str, t.Any]:
    """Return the JSON object of the current request, which has every `required` and no unknown member.

    :param optional: members that it may have besides; None when any may be there.
    :raises Problem: the media type, size, encoding or a member is wrong.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send the request with Content-Type: application/json.")
    try:
        members = decode_json(read_body())
    except CodecError as error:
        raise MalformedRequest(str(error), cause=error.cause) from error
    check_members(members, required=required, optional=optional)
    return members


def read_body() -> bytes:
    """Return the body of the current request, of bounded size.

    :raises BodyTooLarge: it exceeds ``TICKETMINER_MAX_BODY`` (or the application's own limit).
    """
    limit = request.max_content_length
    try:
        data = request.get_data()
        # Werkzeug cuts a chunked body off at the limit without a word.
        if limit is not None and not request.content_length and len(data) >= limit:
            raise RequestEntityTooLarge
    except RequestEntityTooLarge as error:
        raise BodyTooLarge(
            f"A request may have at most {limit} bytes; send fewer tickets at a time."
        ) from error
    return data


def check_members(
    members: dict[str, t.Any],
    *,
    required: t.Collection[str],
    optional: t.Collection[str] | None = (),
    name: str = "The request",
) -> None:
    """Raise :class:`MalformedRequest` unless `members` are the ones expected; `optional` is None when any others may be there."""
    missing = [member for member in required if member not in members]
    if missing:
        raise MalformedRequest(f"{name} lacks {', '.join(sorted(missing))}.", cause="missing-member")
    if optional is None:
        return
    unknown = [member for member in members if member not in required and member not in optional]
    if unknown:
        shown = ", ".join(sorted(unknown))[:80]
        raise MalformedRequest(
            f"{name} has unknown members: {shown}. Leave them out.", cause="unknown-member"
        )


def json_response(members: t.Any, *, status: int = 200, mimetype: str = "application/json") -> Response:
    """Return compact JSON that no cache keeps."""
    response = Response(_encode(members), status, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-store"
    return response


def problem_response(problem: Problem) -> Response:
    """Return `problem` as application/problem+json (RFC 9457), with ``Retry-After`` where waiting helps."""
    response = json_response(problem.document(), status=problem.status, mimetype=PROBLEM_JSON)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def http_problem(error: HTTPException) -> Response:
    """Return any other HTTP error of our endpoints in the same form."""
    if isinstance(error, RequestEntityTooLarge):
        return problem_response(BodyTooLarge("The request is too large; send fewer tickets at a time."))
    if error.code is None or error.code < 400:
        return current_app.make_response(error.get_response())
    response = json_response(
        {
            "type": "about:blank",
            "title": error.name,
            "status": error.code,
            "detail": error.description or error.name,
            "cause": error.name.lower().replace(" ", "-"),
        },
        status=error.code,
        mimetype=PROBLEM_JSON,
    )
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response
