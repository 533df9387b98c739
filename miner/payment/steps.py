"""The steps of paying, and carrying them out over any transport."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from miner.transport import Call, Reply


@dataclass(frozen=True, slots=True)
class Send:
    """A step: send the visitor's own request, with these headers added to it and no others of ours."""

    headers: t.Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Wait:
    """A step: let this many seconds pass."""

    seconds: int


PaySteps: t.TypeAlias = t.Generator[Call | Send | Wait, Reply, None]


def pay(
    steps: PaySteps,
    *,
    send: t.Callable[[t.Mapping[str, str]], Reply],
    call: t.Callable[[Call], Reply],
    sleep: t.Callable[[int], None],
) -> None:
    """Carry out :meth:`Payer.steps` over any transport.

    :param send: sends the visitor's own request with these headers added.
    :param call: sends one of ours.
    """
    try:
        step = next(steps)
        while True:
            if isinstance(step, Wait):
                sleep(step.seconds)
                step = next(steps)
            else:
                step = steps.send(send(step.headers) if isinstance(step, Send) else call(step))
    except StopIteration:
        return
