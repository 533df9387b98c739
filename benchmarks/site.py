"""The site under load: a bare view beside the ones that cost something, all in one worker."""

from __future__ import annotations

import os
from datetime import timedelta

from flask import Flask, Response, jsonify, request

from flask_ticketminer import TicketMiner, ticket_required


def create_app() -> Flask:
    """Return the application; ``BENCHMARK_DATABASE`` says where its tickets are."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY="benchmark benchmark benchmark benchmark",
        TICKETMINER_DATABASE_URI=os.environ["BENCHMARK_DATABASE"],
        TICKETMINER_SITE_NAME="benchmark.example",
        # A share that takes two hashes to find costs the same to check as one that takes 2**24.
        TICKETMINER_EFFORT={"sha256d": 2},
        TICKETMINER_ALGORITHM="sha256d",
    )
    TicketMiner(app)

    @app.post("/bare")
    def bare() -> Response:
        asked = request.get_json()
        return jsonify(status="success", amount="1", change=[], location="/report", members=len(asked))

    @app.get("/bare")
    def bare_get() -> Response:
        return jsonify(status="success", amount="1", change=[], location="/report")

    @app.get("/report")
    @ticket_required(1)
    def report() -> Response:
        return jsonify(status="success", amount="1", change=[], location="/report")

    @app.get("/day")
    @ticket_required(1, valid_for=timedelta(days=1))
    def day() -> Response:
        return jsonify(status="success", amount="1", change=[], location="/day")

    return app
