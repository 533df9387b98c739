"""What a payment is for: one request's method, endpoint, arguments, query string and body."""

from __future__ import annotations

import base64
import hashlib
import typing as t
from dataclasses import dataclass

from flask import request

from miner.tokens import jcs

_LABEL = b"ticketminer binding v1\n"
_BODYLESS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Binding:
    """The request that a challenge, a payment or a pass belongs to.

    :ivar method: ``GET`` also stands for ``HEAD``.
    :ivar resource: mount point, path and query string, as requested.
    :ivar body_digest: ``sha-256=:…:`` of the body (RFC 9530) for methods with one, else None.
    :ivar digest: 32 bytes that name all of it.
    """

    method: str
    resource: str
    body_digest: str | None
    digest: bytes


def request_binding() -> Binding:
    """Return the binding of the current request."""
    method = "GET" if request.method in _BODYLESS else request.method
    query = request.query_string.decode("latin-1")
    path = "/" + (request.root_path + request.path).lstrip("/")
    fingerprint, body_digest = (None, None) if method == "GET" else _body()
    arguments = {name: str(value) for name, value in (request.view_args or {}).items()}
    content: dict[str, t.Any] = {
        "method": method,
        "endpoint": request.endpoint,
        "arguments": arguments,
        "query": query,
        "body": fingerprint,
    }
    digest = hashlib.sha256(_LABEL + jcs(content)).digest()
    return Binding(method, f"{path}?{query}" if query else path, body_digest, digest)


def _body() -> tuple[str, str | None]:
    """Return a fingerprint of the body and its RFC 9530 digest.

    When something before the gate has parsed the form, its bytes are gone; the fields then stand for it and no digest
    is announced.
    """
    data = request.get_data()
    if not data and request.content_length:
        fields = [[name, value] for name, value in request.form.items(multi=True)]
        for name, file in request.files.items(multi=True):
            fields.append([name, file.filename or "", hashlib.sha256(file.stream.read()).hexdigest()])
            file.stream.seek(0)
        return hashlib.sha256(jcs(fields)).hexdigest(), None
    checksum = hashlib.sha256(data).digest()
    return checksum.hex(), f"sha-256=:{base64.b64encode(checksum).decode()}:"
