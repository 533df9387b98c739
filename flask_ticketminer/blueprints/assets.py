"""``GET /ticketminer/assets/<hash>/<name>``: the files of the page miner, under addresses that change with them."""

from __future__ import annotations

import typing as t

from flask import Blueprint, Response, redirect, request

from flask_ticketminer.assets import ELEMENT, current_assets
from flask_ticketminer.errors import NoSuchAsset
from flask_ticketminer.site import current_site

WORKERS = frozenset({"core.js", "engine/hasher.js"})
"""Scripts that run in workers, where the policy of the script's own answer decides."""
WORKER_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'"
)
MAX_AGE = 365 * 86400
_MOVED_MAX_AGE = 60
"""Seconds for which caches send visitors to the files of before."""


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("assets", __name__)
    blueprint.add_url_rule("/assets/<tree>/<path:name>", "asset", asset)
    blueprint.add_url_rule("/element.js", "element", element)
    return blueprint


def asset(tree: str, name: str) -> Response:
    """Return the file called `name`, from memory."""
    assets = current_assets()
    found = assets.files.get(name) if tree == assets.hash else None
    if found is None:
        raise NoSuchAsset(
            "There is no such file, or no longer: load the page again, which names the new ones."
        )
    response = Response(found.data, content_type=found.content_type)
    response.headers["Cache-Control"] = f"public, max-age={MAX_AGE}, immutable"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if name in WORKERS:
        response.headers["Content-Security-Policy"] = WORKER_POLICY
        response.headers["Cross-Origin-Embedder-Policy"] = "require-corp"
    response.set_etag(found.etag)
    response.make_conditional(request)
    return response


def element() -> Response:
    """Lead to the script that defines ``<ticket-miner>``, for pages that no template of ours writes.

    A module's address is the one it was found at, so what it imports comes from the same tree.
    """
    site = current_site()
    if not site.settings.widget:
        raise NoSuchAsset("This site does not offer to mine in the page.")
    response = t.cast("Response", redirect(site.asset_url(ELEMENT)))
    response.headers["Cache-Control"] = f"public, max-age={_MOVED_MAX_AGE}"
    return response
