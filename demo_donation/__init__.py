"""Tidepool, an encyclopaedia of one article with four donation banners: ``flask --app demo_donation run``."""

from __future__ import annotations

import secrets
import typing as t
from pathlib import Path

from flask import Flask, Response, abort, render_template, request

from flask_ticketminer import TicketMiner, donation_received

BANNERS = {
    "large-coffee": "Large coffee",
    "large-lightbulb": "Large light bulb",
    "small-blue": "Small blue",
    "small-coffee": "Small coffee",
}


def create_app(config: t.Mapping[str, t.Any] | None = None) -> Flask:
    """Return the site; its tickets are in ``ticketminer.sqlite`` in the instance folder unless `config` says otherwise."""
    app = Flask(__name__)
    app.config.from_mapping(
        TICKETMINER_SITE_NAME="tidepool.example",
        # A thirty-second of the usual effort, so that trying the demo takes seconds. A real site leaves this out.
        TICKETMINER_EFFORT={"yespower": 128, "scrypt": 1024},
        TICKETMINER_FUNDS={"articles": {"title": "Our articles", "minimum": 1, "default": 5}},
    )
    app.config.from_prefixed_env()  # FLASK_TICKETMINER_COINS and the like
    app.config.from_mapping(config)
    if not app.config["SECRET_KEY"]:
        app.config["SECRET_KEY"] = kept_secret(Path(app.instance_path, "donation.key"))
    TicketMiner(app)
    donation_received.connect(thank, app)
    app.logger.setLevel("INFO")  # or `flask run` would not show the thanks
    app.add_url_rule("/", view_func=article)
    app.after_request(only_this_site)
    return app


def article() -> str:
    """Show the article under the banner that the address asks for."""
    style = request.args.get("banner", "large-coffee")
    if style not in BANNERS:
        abort(404, "There is no such banner.")
    return render_template("article.html", style=style, banners=BANNERS)


def thank(app: Flask, *, amount: int, fund: str, **extra: t.Any) -> None:
    """Note a donation where the people of the site will see it. Who gave is not known, so there is nobody to write to."""
    tickets = "1 ticket" if amount == 1 else f"{amount} tickets"
    app.logger.info("Thank you, whoever you are: %s for %s.", tickets, fund)


def kept_secret(file: Path) -> str:
    """Return the secret in `file`, made at the first start, so that none stands in the repository."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex())
    return file.read_text()


def only_this_site(response: Response) -> Response:
    """Let pages load nothing but this site's own style sheets and scripts.

    The extension's pages and the scripts of its workers bring policies of their own, which stay.
    """
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; img-src 'self'; style-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    )
    return response
