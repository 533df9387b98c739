"""A real litecoind of one test session: a chain of its own on loopback, where a block takes about two hashes, or 2^20."""

from __future__ import annotations

import itertools
import pathlib
import socket
import subprocess
import time
import typing as t

import httpx

USER, PASSWORD = "site", "secret"
PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class NodeError(Exception):
    """What the node answered instead."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Litecoind:
    """A node with one idle peer, without which it hands out no templates.

    :param mweb: whether MWEB comes into force, at height 432.
    :param testnet: the public test network's rules on a chain that begins anew: a block takes 2^20 hashes, so a share is seldom one.
    """

    def __init__(self, folder: pathlib.Path, *, mweb: bool = False, testnet: bool = False) -> None:
        self.port, peers = free_port(), free_port()
        folder.mkdir(parents=True, exist_ok=True)
        options = {
            "datadir": folder,
            "server": 1,
            "listen": 1,
            "bind": f"127.0.0.1:{peers}",
            "discover": 0,
            "dnsseed": 0,
            "upnp": 0,
            "listenonion": 0,
            "connect": 0,
            "peertimeout": 999999,
            "maxtipage": 9999999999,
            "rpcbind": "127.0.0.1",
            "rpcallowip": "127.0.0.1",
            "rpcport": self.port,
            "rpcuser": USER,
            "rpcpassword": PASSWORD,
            "fallbackfee": 0.0001,
            "keypool": 10,
            "dbcache": 64,
            "printtoconsole": 0,
        }
        if testnet:
            options |= {"minimumchainwork": "0x00", "checkpoints": 0}
        elif not mweb:
            options["vbparams"] = "mweb:9999999998:9999999999"
        chain = "-testnet" if testnet else "-regtest"
        command = ["litecoind", chain, *(f"-{name}={value}" for name, value in options.items())]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._http = httpx.Client(auth=(USER, PASSWORD), timeout=60)
        self._ids = itertools.count()
        self._wait()
        self._peer = socket.create_connection(("127.0.0.1", peers))
        self("createwallet", "site")
        self.address: str = self("getnewaddress", "", "legacy")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def script(self) -> bytes:
        """The output script of the wallet's address."""
        return bytes.fromhex(self("getaddressinfo", self.address)["scriptPubKey"])

    def __call__(self, method: str, *params: t.Any) -> t.Any:
        """Call the node; raises :class:`NodeError`."""
        reply = self._http.post(
            self.url, json={"id": next(self._ids), "method": method, "params": params}
        ).json()
        if reply["error"] is not None:
            raise NodeError(reply["error"]["code"], reply["error"]["message"])
        return reply["result"]

    def template(self) -> dict[str, t.Any]:
        return t.cast(dict[str, t.Any], self("getblocktemplate", {"rules": ["segwit", "mweb"]}))

    def close(self) -> None:
        self._http.close()
        self._peer.close()
        self._process.terminate()
        self._process.wait(PATIENCE)

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self("getblockcount")
                return
            except (httpx.TransportError, NodeError, ValueError):
                assert time.monotonic() < deadline, "litecoind does not start"
                assert self._process.poll() is None, "litecoind has ended"
                time.sleep(0.1)
