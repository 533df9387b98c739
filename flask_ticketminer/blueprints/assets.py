"""``GET /ticketminer/assets/<hash>/<name>``: the files of the page miner, under addresses that change with them."""

from __future__ import annotations

from flask import Blueprint, Response, request

from flask_ticketminer.assets import current_assets
from flask_ticketminer.errors import NoSuchAsset

WORKERS = frozenset({"core.js", "engine/hasher.js"})
"""Scripts that run in workers, where the policy of the script's own answer decides."""
WORKER_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'"
)
MAX_AGE = 365 * 86400


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("assets", __name__)
    blueprint.add_url_rule("/assets/<tree>/<path:name>", "asset", asset)
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
