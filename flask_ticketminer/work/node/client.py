"""Calls to a coin's node by JSON-RPC over HTTP; whatever it answers is checked by who asked."""

from __future__ import annotations

import asyncio
import itertools
import typing as t

import httpx

from flask_ticketminer.work.stratum.errors import Disconnected, Misbehaved, Refused
from flask_ticketminer.work.stratum.messages import printable, read_json

MAX_ANSWER = 64 << 20
"""Bytes; a template carries whole transactions as hex."""
ANSWER, LONG_POLL = 60.0, 86400.0
"""Seconds to wait for an answer, and for one that the node gives when there is news: on a quiet chain that takes its time."""
UNAUTHORIZED = 24
"""The code of a refusal by HTTP, as Stratum has it; a node's own are negative."""
_TAKEN = ("duplicate", "duplicate-inconclusive", "inconclusive")
"""Answers to a block that is stored: BIP 22 calls one inconclusive that was not tried as the chain's tip."""


class NodeClient:
    """A node's RPC.

    :param url: with user and password, as ``http://user:password@127.0.0.1:9332/``.
    :param max_answer: bytes of the largest answer that is read.
    """

    def __init__(self, url: str, *, max_answer: int = MAX_ANSWER) -> None:
        parsed = httpx.URL(url)
        auth = (parsed.username, parsed.password) if parsed.username else None
        self.address = str(parsed.copy_with(username=None, password=None))
        # A node is the operator's own and near by: the environment's proxies are for the web.
        self._http = httpx.AsyncClient(auth=auth, trust_env=False)
        self._max_answer = max_answer
        self._ids = itertools.count(1)

    async def __aenter__(self) -> t.Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def call(self, method: str, *params: t.Any, patience: float = ANSWER) -> t.Any:
        """Return what the node answers; numbers with a point are Decimal.

        :param patience: seconds to wait for each piece of the answer; the whole may take twice as long.
        :raises Refused: the node answered with an error.
        :raises Disconnected: it did not answer; whether it did what was asked is unknown.
        :raises Misbehaved: its answer is no JSON-RPC.
        """
        asked = {"jsonrpc": "1.0", "id": next(self._ids), "method": method, "params": params}
        timeout = httpx.Timeout(patience, connect=ANSWER)
        try:
            # The first timeout is for each piece, and a node may send them one by one without end.
            async with (
                asyncio.timeout(2 * patience),
                self._http.stream("POST", self.address, json=asked, timeout=timeout) as reply,
            ):
                status, text = reply.status_code, bytearray()
                async for piece in reply.aiter_bytes():
                    text += piece
                    if len(text) > self._max_answer:
                        raise Misbehaved(
                            f"The node's answer to {method} is larger than {self._max_answer} bytes."
                        )
        except (httpx.HTTPError, TimeoutError) as error:
            reason = printable(error).rstrip(".") or type(error).__name__
            raise Disconnected(
                f"The node at {self.address} does not answer: {reason}. Check that it runs with server=1, "
                "and its address and port."
            ) from error
        if status in (401, 403):
            raise Refused(
                f"The node at {self.address} refuses the user or the password, or this address (rpcallowip).",
                UNAUTHORIZED,
            )
        try:
            answer = read_json(bytes(text))
        except (ValueError, RecursionError) as error:
            raise Misbehaved(f"The node at {self.address} answered {status} and no JSON.") from error
        if not isinstance(answer, dict) or not {"result", "error"} & answer.keys():
            raise Misbehaved(f"The node at {self.address} answered no JSON-RPC.")
        if answer.get("error") is not None:
            raise _refusal(method, answer["error"])
        return answer.get("result")

    async def template(self, rules: t.Sequence[str], long_poll_id: str | None = None) -> t.Any:
        """Return the answer to ``getblocktemplate``; with `long_poll_id` as soon as there is another than that one's.

        Raises as :meth:`call` does.
        """
        request: dict[str, t.Any] = {"rules": list(rules)}
        if long_poll_id is None:
            return await self.call("getblocktemplate", request)
        return await self.call("getblocktemplate", request | {"longpollid": long_poll_id}, patience=LONG_POLL)

    async def submit_block(self, block: str) -> str | None:
        """Submit a block (hex). Return None when the node took it or had it already, else its reason.

        It may be repeated: the node knows a block that it has. One that it took may still lie beside the chain, if another was
        faster. Raises as :meth:`call` does.
        """
        answer = await self.call("submitblock", block)
        if answer is None or answer in _TAKEN:
            return None
        return printable(answer)


def _refusal(method: str, error: object) -> Refused:
    members = error if isinstance(error, dict) else {"message": error}
    code = members.get("code")
    if isinstance(code, bool) or not isinstance(code, int) or not -(1 << 31) <= code < 1 << 31:
        code = 20
    return Refused(f"The node refuses {method}: {printable(members.get('message', '')).rstrip('.')}.", code)
