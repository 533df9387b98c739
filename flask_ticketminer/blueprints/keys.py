"""The directory of ticket keys, the files of spent nonces, and restore."""

from __future__ import annotations

from flask import Blueprint, Response, request

from flask_ticketminer.errors import MalformedRequest, NoSuchKey, RetiredKey, UnknownKey
from flask_ticketminer.mint.directory import MAX_AGE, MEDIA_TYPE
from flask_ticketminer.mint.restore import MAX_HASHES, find_signatures
from flask_ticketminer.site import Site, current_site
from flask_ticketminer.wire import json_response, read_json
from miner.tokens import CodecError, b64url, hex_bytes

SPENT_MAX_AGE = 60
"""Seconds that caches may keep a file of spent nonces; a wallet in doubt asks with ``no-cache``."""


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("keys", __name__)
    blueprint.add_url_rule("/keys", "keys", directory)
    blueprint.add_url_rule("/keys/<key_id>/spent", "spent", spent)
    blueprint.add_url_rule("/restore", "restore", restore, methods=["POST"])
    return blueprint


def directory() -> Response:
    """Return the directory: the same bytes for everyone, without cookie."""
    site = current_site()
    document = site.directory.document(site.url("/submit"))
    return _public(document.body, document.etag, MEDIA_TYPE, MAX_AGE)


def spent(key_id: str) -> Response:
    """Return the truncated hashes of the spent tickets of one key, 8 bytes each, sorted."""
    site = current_site()
    document = site.spent_files.document(_listed(site, _key_id(key_id)))
    return _public(document.body, document.etag, "application/octet-stream", SPENT_MAX_AGE)


def restore() -> Response:
    """Return stored signatures by the hashes of their blinded messages; never signs."""
    site = current_site()
    members = read_json(required=("key_id", "hashes"))
    hashes = members["hashes"]
    if not isinstance(hashes, list) or len(hashes) > MAX_HASHES:
        raise MalformedRequest(
            f"hashes is a list of at most {MAX_HASHES}: ask in several requests.", cause="wrong-size"
        )
    try:
        wanted = [hex_bytes(text, size=32, name="A hash") for text in hashes]
    except CodecError as error:
        raise MalformedRequest(str(error), cause=error.cause) from error
    key_id = _key_id(members["key_id"])
    site.budgets.check_restore(len(wanted))
    signatures = find_signatures(site.database, _listed(site, key_id), wanted)
    return json_response({"signatures": [None if found is None else b64url(found) for found in signatures]})


def _key_id(text: object) -> bytes:
    try:
        return hex_bytes(text, size=32, name="key_id")
    except CodecError as error:
        raise MalformedRequest(str(error), cause=error.cause) from error


def _listed(site: Site, key_id: bytes) -> bytes:
    try:
        return site.keys.find(key_id).key_id
    except (UnknownKey, RetiredKey) as error:
        raise NoSuchKey("The directory lists no such key; it was never ours or is retired.") from error


def _public(data: bytes, etag: str, mimetype: str, age: int) -> Response:
    response = Response(data, mimetype=mimetype)
    response.headers["Cache-Control"] = f"public, max-age={age}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.set_etag(etag)
    response.make_conditional(request)
    return response
