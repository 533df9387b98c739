"""A site whose work comes from the pool of the benchmark `tips`; every answer names the process that gave it."""

from __future__ import annotations

import os

from flask import Flask, Response

from flask_ticketminer import TicketMiner

COIN, ALGORITHM = "benchmark", "scrypt"
PROCESS = "X-Process"


def create_app() -> Flask:
    """Return the application; the environment has ``BENCHMARK_DATABASE``, ``BENCHMARK_POOL`` (a port), ``BENCHMARK_BLOCK_TIME``."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY="benchmark benchmark benchmark benchmark",
        TICKETMINER_DATABASE_URI=os.environ["BENCHMARK_DATABASE"],
        TICKETMINER_SITE_NAME="benchmark.example",
        TICKETMINER_COINS={
            COIN: {
                "symbol": "BMK",
                "algorithm": ALGORITHM,
                "block_time": int(os.environ["BENCHMARK_BLOCK_TIME"]),
                "pools": [f"stratum+tcp://site:x@127.0.0.1:{os.environ['BENCHMARK_POOL']}"],
            }
        },
    )
    TicketMiner(app)

    @app.after_request
    def name(response: Response) -> Response:
        response.headers[PROCESS] = str(os.getpid())
        return response

    return app
