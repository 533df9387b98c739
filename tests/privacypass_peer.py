"""The npm package ``@cloudflare/privacypass-ts`` in a process of its own (``tests/privacypass/peer.mjs``)."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import typing as t

FOLDER = pathlib.Path(__file__).parent / "privacypass"
PACKAGE = FOLDER / "node_modules" / "@cloudflare" / "privacypass-ts" / "package.json"


def absent() -> str | None:
    """Return what is missing to run it and how to get that; None when all is here."""
    node = shutil.which("node")
    if node is None:
        return "needs Node 20 or later and npm: apt-get install nodejs npm"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.removeprefix("v").partition(".")[0]) < 20:
        return f"needs Node 20 or later; this is {version.strip()}"
    if not PACKAGE.is_file():
        return "needs @cloudflare/privacypass-ts: make test installs it, or: cd tests/privacypass && npm ci"
    return None


class PeerError(Exception):
    """The package threw; its message."""


class Peer:
    """Answers commands until it is closed. Bytes travel as base64url."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", "peer.mjs"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, command: str, **parameters: t.Any) -> t.Any:
        """Return the result of `command`.

        :raises PeerError: the package threw.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **parameters}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer["result"]

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Popen's own exit closes the pipes, at whose end the program ends, and waits for it.
        self._process.__exit__(None, None, None)
