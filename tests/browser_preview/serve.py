"""A server of nothing but files, on loopback, that shows ``<ticket-miner>`` in every state: ``python -m tests.browser_preview.serve``.

``/tree/<state>/…`` is miner/browser with the playing core of this folder in the place of the real one, so that the state's name
is in every address; some states are faults of the server, made here. All pages have the strict policy of our own pages.
"""

from __future__ import annotations

import json
import re
import sys
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
BROWSER = HERE.parents[1] / "miner" / "browser"
POLICY = "default-src 'self'; base-uri 'none'; object-src 'none'"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
PLAYED = {"core.js", "states.js"}
CONSENT = {
    "version": "1",
    "text": "Your device computes for this site, and earns tickets. You may refuse, and stop at any time.",
}
SERVICE = {
    "consent": CONSENT,
    "algorithms": [{"algorithm": "yespower", "expected_hashes": 4096, "work": "local"}],
}
CUT = {
    "blocked": {"element/panel.js"},
    "blocked-core": {"core.js"},
    "offline": {"element/panel.js"},
    "unreachable": {"element/panel.js"},
    "unstyled": {"element/style.css"},
    "wordless": {"messages/en/consent.json"},
}
"""Files that get no answer, as when something in the browser keeps them away."""
GONE = {"updated": {"element/panel.js"}}
SILENT = {"unreachable", "offline"}
"""States in which the service does not answer either."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        match path.split("/", 3)[1:]:
            case ["tree", state, name]:
                self._tree(state, name)
            case ["site", state, *_]:
                self._cut() if state in SILENT else self._send(json.dumps(SERVICE).encode(), ".json")
            case ["" | "report"]:
                self._file(HERE / "index.html")
            case [name]:
                self._file(HERE / name)
            case _:
                self.send_error(404)

    def _tree(self, state: str, name: str) -> None:
        if name in CUT.get(state, ()):
            self._cut()
        elif name in GONE.get(state, ()):
            self.send_error(404)
        elif state == "worker" and name == "core.js":
            self._send(b"this is no script", ".js")
        elif name in PLAYED:
            self._file(HERE / name)
        else:
            self._file(BROWSER / name)

    def _file(self, path: Path) -> None:
        roots = (HERE.resolve(), BROWSER.resolve())
        if (
            path.is_file()
            and path.suffix in TYPES
            and any(path.resolve().is_relative_to(root) for root in roots)
        ):
            self._send(path.read_bytes(), path.suffix)
        else:
            self.send_error(404)

    def _send(self, data: bytes, suffix: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", TYPES[suffix] + "; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def _cut(self) -> None:
        """Give no answer."""
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of single requests."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Say nothing of browsers that went away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def states() -> list[str]:
    """Return the names in states.js, in their order."""
    text = (HERE / "states.js").read_text("utf-8")
    return re.findall(r'^  "([a-z-]+)": ', text.partition("export const STATES")[2], re.MULTILINE)


def server(port: int = 0) -> ThreadingHTTPServer:
    """Return a server that listens on loopback; ``serve_forever()`` runs it."""
    return Server(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    made = server(int(sys.argv[1]) if len(sys.argv) > 1 else 8010)
    print(f"http://127.0.0.1:{made.server_port}/?state=ask")
    made.serve_forever()
