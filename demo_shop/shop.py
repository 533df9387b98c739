"""The shop's pages. The last view is the one that is paid for."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, current_app, render_template, send_from_directory

from demo_shop.pictures import Picture, db
from flask_ticketminer import TicketMiner, ticket_required

tickets = TicketMiner(db=db)
shop = Blueprint("shop", __name__)


@shop.get("/")
def gallery() -> str:
    pictures = db.session.scalars(db.select(Picture).order_by(Picture.price)).all()
    return render_template("gallery.html", pictures=pictures)


@shop.get("/pictures/<name>")
def picture(name: str) -> str:
    return render_template("picture.html", picture=db.get_or_404(Picture, name))


def price_of(name: str) -> int:
    """Return a picture's price; a picture that does not exist is a 404 before anything is paid."""
    return db.get_or_404(Picture, name).price


@shop.get("/pictures/<name>/original")
@ticket_required(price=price_of, valid_for=timedelta(days=7))
def original(name: str) -> Response:
    return send_from_directory(current_app.config["ORIGINALS"], f"{name}.png", as_attachment=True)
