"""Saltmarsh Press, a small picture shop that is paid by ticket: ``flask --app demo_shop run``."""

from __future__ import annotations

import secrets
import typing as t
from pathlib import Path

from flask import Flask, Response

from demo_shop.pictures import db, hang
from demo_shop.shop import shop, tickets


def create_app(config: t.Mapping[str, t.Any] | None = None) -> Flask:
    """Return the shop, its pictures in ``shop.sqlite`` in the instance folder unless `config` says otherwise."""
    app = Flask(__name__)
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI="sqlite:///shop.sqlite",
        ORIGINALS=Path(app.root_path, "originals"),
        TICKETMINER_SITE_NAME="saltmarsh-press.example",
        # A thirty-second of the usual effort, so that trying the demo takes seconds. A real site leaves this out: the less a
        # ticket costs, the less it slows down whoever wants everything.
        TICKETMINER_EFFORT={"yespower": 128, "scrypt": 1024},
    )
    app.config.from_prefixed_env()  # FLASK_TICKETMINER_COINS and the like
    app.config.from_mapping(config)
    if not app.config["SECRET_KEY"]:
        app.config["SECRET_KEY"] = kept_secret(Path(app.instance_path, "shop.key"))
    db.init_app(app)
    tickets.init_app(app)
    app.register_blueprint(shop)
    app.after_request(only_this_site)
    with app.app_context():
        hang()
    return app


def kept_secret(file: Path) -> str:
    """Return the secret in `file`, made at the first start, so that none stands in the repository."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex())
    return file.read_text()


def only_this_site(response: Response) -> Response:
    """Let pages load nothing but this site's own pictures, style sheets and scripts.

    The extension's pages and the scripts of its workers bring policies of their own, which stay.
    """
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; img-src 'self'; style-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    )
    return response
