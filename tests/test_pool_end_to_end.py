"""The whole way of a share: command line, demo shop, bridge, a pool that nobody here wrote, and a real node behind it.

Site, bridge and miner are processes of their own, started as their users start them.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t
from collections.abc import Callable, Iterator

import httpx
import pytest
from foundation import FoundationPool, absent
from litecoin import Litecoind, free_port
from parts import missing
from sqlalchemy import create_engine, text

DIFFICULTY = 0.005
PATIENCE = 120.0


class Processes:
    """The shop and its bridge, on one database."""

    def __init__(self, folder: pathlib.Path, pool: FoundationPool) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = f"sqlite:///{folder}/shop.sqlite"
        coin = {
            "symbol": "LTC",
            "algorithm": "scrypt",
            "block_time": 150,
            "pools": [f"stratum+tcp://site.1:x@127.0.0.1:{pool.port}"],
        }
        self._environment = {
            **os.environ,
            "FLASK_SECRET_KEY": "5f1c" * 16,
            "FLASK_SQLALCHEMY_DATABASE_URI": self.database,
            "FLASK_TICKETMINER_COINS": json.dumps({"litecoin": coin}),
            "FLASK_TICKETMINER_EFFORT": json.dumps({"scrypt": 256}),
        }
        self._running: list[subprocess.Popen[str]] = []

    def flask(self, *words: str) -> subprocess.Popen[str]:
        """Start ``flask --app demo_shop`` with `words`."""
        command = [sys.executable, "-m", "flask", "--app", "demo_shop", *words]
        with (self.folder / f"{words[-1].strip('-')}.log").open("w") as log:
            started = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=subprocess.STDOUT, text=True
            )
        self._running.append(started)
        return started

    def serve(self) -> None:
        self.flask("run", "--port", str(self.port), "--no-reload")
        self.until(self._answers, "the shop")

    def mine(self, tickets: int) -> dict[str, t.Any]:
        """Let the command line mine and return what it says in the end."""
        wallet = str(self.folder / "wallet.sqlite")
        options = ["--tickets", str(tickets), "--yes", "--wallet", wallet, "--duty", "100", "--json"]
        command = [sys.executable, "-m", "miner.cli", "mine", self.url, *options]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr + self.logs()
        return t.cast("dict[str, t.Any]", json.loads(done.stdout.splitlines()[-1]))

    def fates(self) -> dict[str, int]:
        """Return how many shares of the outbox are in each state."""
        with create_engine(self.database).connect() as connection:
            rows = connection.execute(
                text("SELECT state, count(*) FROM ticketminer_upstream_share GROUP BY state")
            )
            return {str(state): int(count) for state, count in rows}

    def until(self, holds: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, f"{what}: {self.logs()}"
            time.sleep(0.1)

    def logs(self) -> str:
        return "\n".join(log.read_text()[-2000:] for log in self.folder.glob("*.log"))

    def audit(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flask", "--app", "demo_shop", "ticketminer", "audit"]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def stop(self) -> None:
        for process in reversed(self._running):
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/ticketminer/").status_code == 200
        return False


@pytest.fixture(params=["regtest", "testnet"])
def parts(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path
) -> Iterator[tuple[Litecoind, FoundationPool, Processes]]:
    if (lacking := absent()) is not None:
        missing(lacking)
    with contextlib.ExitStack() as stack:
        node = Litecoind(tmp_path / "litecoind", testnet=request.param == "testnet")
        stack.callback(node.close)
        if request.param == "regtest":
            node("generatetoaddress", 1, node.address)
        pool = stack.enter_context(FoundationPool(node, DIFFICULTY))
        processes = Processes(tmp_path, pool)
        stack.callback(processes.stop)
        yield node, pool, processes


def test_visitors_shares_reach_the_pool(parts: tuple[Litecoind, FoundationPool, Processes]) -> None:
    node, pool, site = parts
    height = node("getblockcount")
    site.serve()
    site.flask("ticketminer", "bridge")
    mined = site.mine(12)
    assert mined["won"] >= 12, mined
    site.until(lambda: not {"pending", "sending"} & site.fates().keys(), "an empty outbox")

    fates, judged = site.fates(), pool.shares(1)
    valid = [share for share in judged if share["valid"]]
    assert len(valid) == fates.get("accepted", 0) + fates.get("block", 0) > 0, (fates, site.logs())
    assert all(share["shareDiff"] >= DIFFICULTY for share in valid)
    assert {share["worker"] for share in judged} == {"site.1"}
    blocks = pool.blocks(fates.get("block", 0))
    assert len(blocks) == fates.get("block", 0)
    if node("getblockchaininfo")["chain"] == "regtest":
        assert blocks, "a share in two is a block there"
    assert all(node("getblockheader", block["hash"])["confirmations"] for block in blocks)
    # Two that were found at the same height are both blocks; the node's chain takes one of them.
    assert node("getblockcount") == height + len({block["height"] for block in blocks})
    audit = site.audit()
    assert audit.returncode == 0, audit.stdout
