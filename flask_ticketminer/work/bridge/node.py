"""The talk with a coin's own node: templates from it, and whole blocks to it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import time
import typing as t
import zlib

from flask_ticketminer.work.blocks import CONFIRMED, ORPHANED, Blocks
from flask_ticketminer.work.bridge.talk import Parts, Talk, new_template_id
from flask_ticketminer.work.coins import Coin
from flask_ticketminer.work.difficulty import expected_hashes
from flask_ticketminer.work.node.client import UNAUTHORIZED, NodeClient
from flask_ticketminer.work.node.template import BlockTemplate, read_template
from flask_ticketminer.work.outbox import BLOCK, ENDED, REFUSED, STALE, Fate, Parcel
from flask_ticketminer.work.stratum.dialects import Solution
from flask_ticketminer.work.stratum.errors import Disconnected, Misbehaved, Refused, UpstreamError
from flask_ticketminer.work.stratum.header import build_header, sha256d
from flask_ticketminer.work.stratum.jobs import HeaderJob, is_hex
from flask_ticketminer.work.template import Template
from flask_ticketminer.work.upstreams import CONNECTING

log = logging.getLogger(__name__)

SESSION = "node"
"""Shares for a node belong to no session: a block is a block, whoever brings it."""
CONFIRMATIONS = 6
"""Blocks on top of ours (itself counted) from which on it is called confirmed."""
_LOOK_FOR_BLOCKS = 15.0
_REFRESH, _POLL = 45.0, 5.0
"""Seconds after which a template is made anew, for its time and its transactions; and where the node has no long poll."""
_LEAST = 0.1
_RETRY, _MOST_RETRY = 1.0, 30.0
_LATER = frozenset({-28, -10, -9, UNAUTHORIZED})
"""The node is loading, catching up, has no peers or another password than ours: later it takes what it refuses now."""
TAG = b"/ticketminer/"


class NodeTalk(Talk):
    """Asks one node for templates and gives it blocks."""

    repeatable = True

    def __init__(
        self,
        coin: Coin,
        parts: Parts,
        *,
        look_for_blocks: float = _LOOK_FOR_BLOCKS,
        refresh: float = _REFRESH,
    ) -> None:
        super().__init__(coin, parts)
        self._blocks = Blocks(parts.database, parts.clock, coin.name)
        self._look_for_blocks = look_for_blocks
        self._refresh = refresh
        self._client: NodeClient | None = None
        self._templates: dict[bytes, BlockTemplate] = {}
        self._tip = ""
        self._polled = 0.0

    async def talk(self) -> None:
        async with NodeClient(t.cast(str, self.coin.node)) as client, asyncio.TaskGroup() as tasks:
            self._client = client
            bringing = tasks.create_task(self._bring(client))
            confirming = tasks.create_task(self._confirm(client))
            await self.forward(SESSION, lambda: not self.stopping.is_set())
            bringing.cancel()
            confirming.cancel()

    async def send(self, parcel: Parcel) -> Fate | None:
        assert self._client is not None
        template = await self._template(parcel.template_id)
        if template is None:
            return Fate(STALE, ENDED)
        solution = parcel.solution
        header = header_of(template.job, solution)
        try:
            reason = await self._client.submit_block(template.block(header, solution.extranonce2))
        except (Disconnected, Misbehaved, Refused) as lost:
            if isinstance(lost, Refused) and lost.code not in _LATER:
                return Fate(REFUSED, str(lost))
            log.warning("%s: a block waits: %s", self.coin.name, lost)
            await self.pause(_RETRY)
            return None
        if reason is not None:
            return Fate(STALE if "stale" in reason or "prev" in reason else REFUSED, reason)
        block_hash = sha256d(header)[::-1]
        log.info("%s: found block %d, %s.", self.coin.name, template.height, block_hash.hex())
        await self.store(lambda: self._blocks.add(block_hash, height=template.height, reward=template.reward))
        return Fate(BLOCK, hashes=min(expected_hashes(template.job.target), 1 << 62))

    async def sweep(self) -> None:
        """A block is a block whenever it comes: the node says whether it is too late."""

    async def _bring(self, client: NodeClient) -> t.NoReturn:
        """Publish templates for as long as the node gives them."""
        retry = _RETRY
        while True:
            poll: asyncio.Task[t.Any] | None = None
            try:
                script = await output_script(client, self.coin)
                while True:
                    poll = await self._next(client, script, poll)
                    retry = _RETRY
            except UpstreamError as error:
                log.warning("%s: %s", self.coin.name, error)
                reason, self._tip = str(error), ""
                await self.store(self.upstream.void)
                await self.store(lambda: self.upstream.tell(CONNECTING, reason))  # noqa: B023 - awaited at once
            finally:
                if poll is not None:
                    poll.cancel()
                    await asyncio.gather(poll, return_exceptions=True)
            await asyncio.sleep(retry)
            retry = min(_MOST_RETRY, 2 * retry)

    async def _next(
        self, client: NodeClient, script: bytes, poll: asyncio.Task[t.Any] | None
    ) -> asyncio.Task[t.Any] | None:
        """Publish the next template; return the long poll for the one after it.

        A node keeps one of its few threads (``rpcthreads``, 4) for a long poll until there is news, also when nobody waits for it
        any more. So a refresh leaves the one there is open: on a quiet chain others would use all of them up.
        """
        found = None
        if poll is not None:
            await asyncio.wait({poll}, timeout=self._refresh)
            if poll.done():
                with contextlib.suppress(Disconnected):  # whether the node is there, the next call shows
                    found = poll.result()
        if found is None:
            found = await client.template(self.coin.rules)
        template_id = new_template_id()
        template = read_template(found, script, job_id=template_id.hex(), tag=TAG)
        self._templates[template_id] = template
        while len(self._templates) > 8:
            del self._templates[next(iter(self._templates))]
        tip = hashlib.sha256(template.job.params[1].encode()).hexdigest()[:16]
        effort = self.effort(template.job)
        await self.publish(
            Template(template_id, self.coin.name, SESSION, self.coin.algorithm, tip, effort, template.job),
            source=f"the node at {client.address}",
            body=body_to_bytes(template),
        )
        moved = tip != self._tip
        if moved:
            connected = "" if self._tip else f"connected to the node at {client.address}; "
            log.info("%s: %snew work, on block %d.", self.coin.name, connected, template.height)
            self._tip = tip
        # A long poll that ends at once without news would fill the database with templates.
        idle = poll is not None and poll.done() and not moved and time.monotonic() - self._polled < _POLL
        await asyncio.sleep(_POLL if idle or template.long_poll_id is None else _LEAST)
        if poll is not None:
            if not poll.done() and not moved:
                return poll
            poll.cancel()  # one that has not noticed has lost its connection
            await asyncio.gather(poll, return_exceptions=True)
        if template.long_poll_id is None:
            return None
        self._polled = time.monotonic()
        return asyncio.create_task(client.template(self.coin.rules, template.long_poll_id))

    async def _template(self, template_id: bytes) -> BlockTemplate | None:
        template = self._templates.get(template_id)
        if template is None:
            stored = await self.store(lambda: self.upstream.body(template_id))
            if stored is not None:
                template = template_of(*stored)
        return template

    async def _confirm(self, client: NodeClient) -> t.NoReturn:
        """Ask about the blocks that were found until the chain has kept or left them."""
        while True:
            for block_hash in await self.store(self._blocks.open):
                try:
                    found = await client.call("getblockheader", block_hash.hex())
                except UpstreamError as error:
                    log.info("%s: block %s: %s", self.coin.name, block_hash.hex(), error)
                    continue
                deep = found.get("confirmations") if isinstance(found, dict) else None
                if isinstance(deep, int) and not 0 <= deep < CONFIRMATIONS:
                    state = CONFIRMED if deep > 0 else ORPHANED
                    log.info("%s: block %s is %s.", self.coin.name, block_hash.hex(), state)
                    await self.store(lambda: self._blocks.decide(block_hash, state))  # noqa: B023 - awaited
            await asyncio.sleep(self._look_for_blocks)


async def output_script(client: NodeClient, coin: Coin) -> bytes:
    """Return the output script of the coin's address.

    :raises UpstreamError: the node does not answer, or says that it is no address.
    """
    found = await client.call("validateaddress", coin.address)
    text = found.get("scriptPubKey") if isinstance(found, dict) and found.get("isvalid") else None
    if not isinstance(text, str) or not is_hex(text) or not text:
        raise UpstreamError(
            f"The node says that {coin.address} is no address of its chain: set the address of {coin.name} to one."
        )
    return bytes.fromhex(text)


def header_of(job: HeaderJob, solution: Solution) -> bytes:
    """Return the 80 bytes that a share of a node's `job` hashed."""
    return build_header(
        job.params,
        extranonce1=job.extranonce1,
        extranonce2=solution.extranonce2,
        ntime=solution.ntime,
        nonce=solution.nonce,
        version_bits=solution.version_bits,
        version_mask=job.version_mask,
    )


def body_to_bytes(template: BlockTemplate) -> bytes:
    """Return what a block of `template` needs beside its header and coinbase, as it is stored."""
    kept = (template.height, template.reward, template.transactions, template.extension, template.witness)
    return zlib.compress(json.dumps(kept, separators=(",", ":")).encode(), 1)


def template_of(template: Template, body: bytes) -> BlockTemplate:
    """Return the node's template that was stored."""
    height, reward, transactions, extension, witness = json.loads(zlib.decompress(body))
    assert isinstance(template.job, HeaderJob)
    return BlockTemplate(template.job, height, reward, tuple(transactions), extension, witness, None)
