"""A block template of a node as a job like a pool's, and the block that a share of it completes.

The extranonce is this site's alone, so a template needs none of a pool's: :func:`read_template` makes of it the parameters of a
``mining.notify``, and web processes build headers from both in the same way.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from flask_ticketminer.work.difficulty import nbits_target
from flask_ticketminer.work.node.coinbase import coinbase_halves, var_int, with_witness
from flask_ticketminer.work.stratum.errors import BadJob
from flask_ticketminer.work.stratum.header import sha256d, swap_words
from flask_ticketminer.work.stratum.jobs import HeaderJob, is_hex

EXTRANONCE_SIZE = 8
MAX_TRANSACTIONS = 100_000
_MAX_LONG_POLL_ID = 1024
_MAX_OUTPUT = 10_000
"""Bytes of the longest script (Bitcoin's consensus rules)."""


@dataclass(frozen=True, slots=True)
class BlockTemplate:
    """A template of a node, as far as it was checked.

    :ivar job: what is searched; its target is the block's.
    :ivar height: of the block.
    :ivar reward: what the coinbase pays, in the coin's smallest unit.
    :ivar transactions: those behind the coinbase, hex, in order.
    :ivar extension: hex of what follows the transactions (Litecoin's MWEB block), empty where nothing does.
    :ivar witness: whether the block commits to witnesses, so that its coinbase has one.
    :ivar long_poll_id: of BIP 22, None where the node offers none.
    """

    job: HeaderJob
    height: int
    reward: int
    transactions: tuple[str, ...]
    extension: str
    witness: bool
    long_poll_id: str | None

    def block(self, header: bytes, extranonce2: str) -> str:
        """Return the whole block as hex, for ``submitblock``.

        :param header: 80 bytes, built from this template with `extranonce2`.
        """
        coinbase = bytes.fromhex(self.job.params[2] + extranonce2 + self.job.params[3])
        first = with_witness(coinbase) if self.witness else coinbase
        count = var_int(1 + len(self.transactions))
        extension = f"01{self.extension}" if self.extension else ""
        return header.hex() + count.hex() + first.hex() + "".join(self.transactions) + extension


def read_template(found: object, script: bytes, *, job_id: str, tag: bytes = b"") -> BlockTemplate:
    """Return the template in the answer to ``getblocktemplate``.

    :param script: where the reward goes, the output script of an address.
    :raises BadJob: it lacks something, or asks for what this program cannot do.
    """
    if not isinstance(found, dict):
        raise BadJob("getblocktemplate was answered with no object.")
    version, height, reward, now = (
        _integer(found, name, bits)
        for name, bits in (("version", 32), ("height", 31), ("coinbasevalue", 63), ("curtime", 32))
    )
    nbits = _hex(found, "bits", 4)
    try:
        target = nbits_target(int(nbits, 16))
    except ValueError as error:
        raise BadJob(str(error)) from error
    transactions = found.get("transactions", [])
    if not isinstance(transactions, list) or len(transactions) > MAX_TRANSACTIONS:
        raise BadJob("The template's transactions are no list.")
    commitment = found.get("default_witness_commitment")
    outputs = [(reward, script)]
    if commitment is not None:
        outputs.append((0, bytes.fromhex(_hex(found, "default_witness_commitment"))))
    if any(len(paid) > _MAX_OUTPUT for _, paid in outputs):
        raise BadJob(f"An output of the template's coinbase has more than {_MAX_OUTPUT} bytes of script.")
    halves = coinbase_halves(height, outputs, extranonce_size=EXTRANONCE_SIZE, tag=tag)
    branch = merkle_branch([bytes.fromhex(_hex(each, "txid", 32))[::-1] for each in transactions])
    previous = swap_words(bytes.fromhex(_hex(found, "previousblockhash", 32))[::-1])
    params = (
        job_id,
        previous.hex(),
        halves[0].hex(),
        halves[1].hex(),
        tuple(step.hex() for step in branch),
        f"{version:08x}",
        nbits,
        f"{now:08x}",
    )
    job = HeaderJob(job_id, params, "", EXTRANONCE_SIZE, None, True, target)
    return BlockTemplate(
        job,
        height,
        reward,
        tuple(_hex(each, "data") for each in transactions),
        _hex(found, "mweb") if found.get("mweb") else "",
        commitment is not None,
        _long_poll_id(found.get("longpollid")),
    )


def merkle_branch(txids: list[bytes]) -> list[bytes]:
    """Return the hashes (32 bytes each, in the order in which they are hashed) that lead from the coinbase to the root.

    :param txids: of the transactions behind the coinbase, in hashing order.
    """
    branch, row = [], list(txids)
    while row:
        branch.append(row[0])
        rest = row[1:]
        if len(rest) % 2:
            rest.append(rest[-1])
        row = [sha256d(rest[at] + rest[at + 1]) for at in range(0, len(rest), 2)]
    return branch


def _long_poll_id(text: object) -> str | None:
    """Return what can be sent back as it came; half a surrogate pair, which JSON may hold, is no UTF-8."""
    if not isinstance(text, str) or not text.isascii() or not 0 < len(text) <= _MAX_LONG_POLL_ID:
        return None
    return text


def _integer(found: dict[str, t.Any], name: str, bits: int) -> int:
    number = found.get(name)
    if isinstance(number, bool) or not isinstance(number, int) or not -(1 << 31) <= number < 1 << bits:
        raise BadJob(f"The template's {name} is no number of {bits} bits.")
    if number < 0 and name != "version":
        raise BadJob(f"The template's {name} is negative.")
    return number % (1 << 32) if name == "version" else number


def _hex(found: object, name: str, size: int | None = None) -> str:
    text = found.get(name) if isinstance(found, dict) else None
    if not isinstance(text, str) or not is_hex(text) or (size is not None and len(text) != 2 * size):
        raise BadJob(f"The template's {name} is no hex" + (f" of {size} bytes." if size else "."))
    return text.lower()
