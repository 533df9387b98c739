"""A page whose worker, in the place of the core, does what tests of the engine say, and the server of its files."""

from __future__ import annotations

import contextlib
import http.server
import pathlib
import threading
import time
import typing as t
from collections.abc import Iterator

from browsers import Profile, Tab

from flask_ticketminer.blueprints.assets import WORKER_POLICY

HERE = pathlib.Path(__file__).parent
DRIVERS = HERE / "browser"
MODULES = HERE.parent / "miner" / "browser"
WASM = HERE.parent / "miner" / "pow" / "wasm"
POLICIES = {
    "x": WORKER_POLICY,
    "forbidden": WORKER_POLICY.replace(" 'wasm-unsafe-eval'", ""),
    "lost": WORKER_POLICY,
}
"""Folders of the same files: with the policy of a site, with one that forbids WebAssembly, and without the modules of WebAssembly."""

Row = dict[str, t.Any]


class Page:
    """A tab with a worker in the place of the core."""

    def __init__(self, profile: Profile, url: str, assets: str = "x") -> None:
        self.tab: Tab = profile.tab(f"{url}/?assets={assets}")
        self.tab.wait_for("typeof attempt === 'function'")

    def __call__(self, expression: str, *args: t.Any) -> t.Any:
        """Return the value of an expression in the core."""
        found = self.tab.evaluate("await attempt(args[0], args.slice(1))", expression, *args)
        assert "error" not in found, found
        return found["value"]

    def make(self, **options: t.Any) -> None:
        self("make(args[0])", options)

    def mine(self, job: Row) -> None:
        self("engine.search(job(args[0]))", job)
        self("engine.go()")

    def until(self, expression: str, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not self(f"await until(() => {expression}, 5)"):
            assert time.monotonic() < end, (expression, self("events"))

    @property
    def problems(self) -> list[str]:
        return [problem["code"] for problem in self("events.problems")]


class Handler(http.server.SimpleHTTPRequestHandler):
    """The page's files as a site serves them below /assets/FOLDER/, and the drivers of these tests."""

    def asset(self) -> tuple[str, str]:
        folder, _, name = self.path.partition("?")[0].removeprefix("/assets/").partition("/")
        return (folder, name) if self.path.startswith("/assets/") else ("", "")

    def translate_path(self, path: str) -> str:
        folder, name = self.asset()
        if not folder:
            return str(DRIVERS / "engine.js")
        if name.startswith("wasm/"):
            return str(WASM / ("none" if folder == "lost" else name.removeprefix("wasm/")))
        if name.startswith("drivers/"):
            return str(DRIVERS / name.removeprefix("drivers/"))
        return str((DRIVERS if name.startswith("faults/") else MODULES) / name)

    def do_GET(self) -> None:
        _, name = self.asset()
        if name.startswith("faulty/"):
            fault = name.removeprefix("faulty/")
            self.answer(f'import "../faults/{fault}"; import "../engine/hasher.js";', "text/javascript")
        elif self.path.startswith("/?"):
            self.answer(
                '<!doctype html><title>Engine</title><script type="module" src="/engine.js"></script>'
            )
        else:
            super().do_GET()

    def answer(self, text: str, content_type: str = "text/html") -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        if content_type == "text/html":
            self.send_header("Content-Security-Policy", "default-src 'self'")
        self.end_headers()
        self.wfile.write(text.encode())

    def end_headers(self) -> None:
        folder, name = self.asset()
        if name == "engine/hasher.js" or name.startswith(("faults/", "faulty/")):
            self.send_header("Content-Security-Policy", POLICIES[folder])
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served() -> Iterator[int]:
    """Serve pages on a port of this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
