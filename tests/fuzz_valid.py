"""Valid requests of every kind, and then the same requests spoilt."""

from __future__ import annotations

from fuzz_mutations import PICKS, Pick, almost
from fuzz_site import Fuzzer, repeat
from hypothesis import strategies as st

REFUSED = {
    "tip": 404,
    "page": 402,
    "donation page": 402,
    "header for a failure": 404,
    "share that misses": 422,
    "share paid before": 409,
    "exchange for a signed output": 409,
    "spent ticket": 402,
}
"""Kinds that are well-formed and refused, and the status."""


def fuzz_valid(fuzzer: Fuzzer, number: int, start: int) -> None:
    """Send `number` requests that are almost valid; each kind is first sent as it is."""
    kinds = fuzzer.stock.kinds
    for kind in kinds[:number]:
        wire = fuzzer.stock.take(kind)
        reply = fuzzer.send(wire)
        if reply is not None:
            fuzzer.stock.note(kind, reply)
            if reply.status_code != REFUSED.get(kind) and (kind in REFUSED or reply.status_code >= 400):
                fuzzer.judge(str(wire), [f"a {kind} was answered {reply.status_code}"])

    @repeat(max(0, number - len(kinds)), start, kind=st.sampled_from(kinds), pick=PICKS)
    def spoil(kind: str, pick: Pick) -> None:
        turn = pick(range(64))
        if turn == 0:
            fuzzer.clock.advance(pick((1, 31, 121, 601, 901, 3601)))
            fuzzer.stock.renew()
        wire = fuzzer.stock.used(kind) if turn % 8 == 1 else fuzzer.stock.take(kind)
        reply = fuzzer.send(almost(wire, pick))
        if reply is not None:
            fuzzer.stock.note(kind, reply)
