"""The site under load: a bare view beside the ones that cost something, all in one worker."""

from __future__ import annotations

import os
from datetime import timedelta

from flask import Flask, Response, jsonify, request

from flask_ticketminer import TicketMiner, ticket_required


def create_app() -> Flask:
    """Return the application; ``BENCHMARK_DATABASE`` says where its tickets are, ``BENCHMARK_SCRATCH`` names a file beside."""
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

    durable = os.open(os.environ["BENCHMARK_SCRATCH"], os.O_WRONLY | os.O_CREAT)

    @app.post("/bare-durable")
    def bare_durable() -> Response:
        os.pwrite(durable, request.get_data(), 0)
        os.fsync(durable)
        return bare()

    @app.get("/report")
    @ticket_required(1)
    def report() -> Response:
        return jsonify(status="success", amount="1", change=[], location="/report")

    @app.get("/day")
    @ticket_required(1, valid_for=timedelta(days=1))
    def day() -> Response:
        return jsonify(status="success", amount="1", change=[], location="/day")

    return app
