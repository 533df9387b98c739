"""What a payment is for: one request's method, endpoint, path, query string and body."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from urllib.parse import quote

from flask import current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from flask_ticketminer.errors import AddressTooLong
from miner.tokens import jcs

_LABEL = b"ticketminer binding v1\n"
# Made once: json.dumps makes an encoder a call where the separators are not its own.
_encode = json.JSONEncoder(separators=(",", ":")).encode
_BODYLESS = frozenset({"GET", "HEAD"})
_IN_PATH = "!$&'()*+,/:;=@"
"""What stands for itself in a path besides letters, digits and ``-._~`` (RFC 3986)."""
_IN_QUERY = "%?" + _IN_PATH
MAX_BODY = 16 * 2**20
"""Bytes of a gated request's body where the application sets no ``MAX_CONTENT_LENGTH``: it is read before it is paid."""
MAX_RESOURCE = 4096
"""Characters of mount point, path and query string: a challenge repeats them in a header, where few servers let more pass."""


@dataclass(frozen=True, slots=True)
class Binding:
    """The request that a challenge, a payment or a pass belongs to.

    :ivar method: ``GET`` also stands for ``HEAD``.
    :ivar resource: mount point, path and query string, percent-encoded, so that it can stand in a header or a link.
    :ivar body_digest: ``sha-256=:…:`` of the body (RFC 9530) for methods with one, else None.
    :ivar digest: 32 bytes that name all of it.
    """

    method: str
    resource: str
    body_digest: str | None
    digest: bytes


def request_binding() -> Binding:
    """Return the binding of the current request.

    :raises AddressTooLong: path and query string exceed :data:`MAX_RESOURCE`.
    :raises werkzeug.exceptions.RequestEntityTooLarge: the body exceeds :data:`MAX_BODY`, or the application's own limit.
    """
    method, query, path = _method(), _query(), request_path()
    resource = f"{path}?{query}" if query else path
    if len(resource) > MAX_RESOURCE:
        raise AddressTooLong(
            f"The address of something for sale has at most {MAX_RESOURCE} characters: send the rest in a body."
        )
    fingerprint, body_digest = (None, None) if method == "GET" else _body()
    return Binding(method, resource, body_digest, binding_digest(fingerprint))


def request_path() -> str:
    """Return the current request's path with the mount point, percent-encoded; it never begins with two slashes."""
    return "/" + mounted(quote(request.path, safe=_IN_PATH)).lstrip("/")


def binding_digest(fingerprint: str | None) -> bytes:
    """Return the 32 bytes that name the current request with the body of this `fingerprint`."""
    return digest_of(
        _method(),
        request.endpoint,
        quote(request.path, safe=_IN_PATH),
        _query(),
        fingerprint,
        host=request.host if current_app.subdomain_matching else None,
    )


def digest_of(
    method: str,
    endpoint: str | None,
    path: str,
    query: str,
    fingerprint: str | None,
    *,
    host: str | None = None,
) -> bytes:
    """Return the 32 bytes that name a request; `path` (without mount point) and `query` are percent-encoded.

    The path stands for the view's arguments: what converters and URL preprocessors make of it need have no faithful text.
    """
    parts = (method, endpoint, host, path, query, fingerprint)
    return hashlib.sha256(_LABEL + _encode(parts).encode()).digest()


def body_fingerprint(body_digest: str) -> str:
    """Return the fingerprint of the body that `body_digest` (``sha-256=:…:``) announces."""
    return base64.b64decode(body_digest.removeprefix("sha-256=:").removesuffix(":")).hex()


def mounted(path: str = "") -> str:
    """Return `path` of this application with its mount point, percent-encoded as URLs and headers want it."""
    return quote(request.root_path, safe=_IN_PATH) + path


def _method() -> str:
    return "GET" if request.method in _BODYLESS else request.method


def _query() -> str:
    # As a browser will send it when it is redirected there.
    return quote(request.query_string, safe=_IN_QUERY)


def _body() -> tuple[str, str | None]:
    """Return a fingerprint of the body and its RFC 9530 digest.

    When something before the gate has parsed the form, its bytes are gone; the fields then stand for it and no digest
    is announced.
    """
    if request.max_content_length is None:
        request.max_content_length = MAX_BODY
    data = request.get_data()
    if not request.content_length and len(data) >= request.max_content_length:
        raise RequestEntityTooLarge  # Werkzeug cuts a chunked body off here without a word
    if not data and (request.form or request.files):
        fields = [[name, value] for name, value in request.form.items(multi=True)]
        for name, file in request.files.items(multi=True):
            fields.append([name, file.filename or "", hashlib.sha256(file.stream.read()).hexdigest()])
            file.stream.seek(0)
        return hashlib.sha256(jcs(fields)).hexdigest(), None
    checksum = hashlib.sha256(data).digest()
    return checksum.hex(), f"sha-256=:{base64.b64encode(checksum).decode()}:"
