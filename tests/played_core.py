"""A core that plays in the place of the one that a demonstration site serves: what it was called with, and what it answers."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from demo_sites import Answer, DemoSite
from flask import request
from werkzeug.wrappers import Response

CORE = Path(__file__).parent / "browser_preview" / "wallet_core.js"
TOLD = "/played"


class PlayedCore:
    """Takes the place of the core of `site`, which has not answered anything yet; `played` is described in wallet_core.js.

    :ivar calls: what it was called with, in order: name and arguments.
    """

    def __init__(self, site: DemoSite, **played: t.Any) -> None:
        self.calls: list[tuple[str, list[t.Any]]] = []
        self.play(**played)
        site.on("GET /ticketminer/assets/*/core.js", self._script, None)
        site.app.add_url_rule(TOLD, view_func=self._hear, methods=["POST"])

    def play(self, **played: t.Any) -> None:
        """Play this in pages that are opened from now on."""
        self._played = {"told": TOLD, **played}

    def called(self, name: str) -> list[list[t.Any]]:
        """Return the arguments of every call of that name."""
        return [args for call, args in self.calls if call == name]

    def _hear(self) -> str:
        told = request.get_json(force=True)
        self.calls.append((told["call"], told["args"]))
        return ""

    def _script(self, answer: Answer) -> Response:
        response = answer()
        response.set_data(f"const PLAYED = {json.dumps(self._played)};\n{CORE.read_text()}")
        return response
