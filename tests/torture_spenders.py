"""Clients that try to spend what others are spending: long-lived processes, released together, with raw credentials."""

from __future__ import annotations

import http.cookiejar
import json
import random
import signal
import time
import typing as t
from dataclasses import dataclass, field

import httpx
from torture_app import DELIBERATE
from torture_server import processes

from miner.tokens import decode_json, unb64url

PATIENCE = 60.0
"""Seconds for which a request is repeated while the site says that it is busy with it."""
WAITING = ("ticket-in-use", "in-progress", "database-busy")
"""Causes that leave the outcome open."""
GIVING_UP = 3
"""Failures of a view after which nobody asks for it again."""


@dataclass(frozen=True)
class Shot:
    """One request that a process makes when it is released, and repeats until it is decided.

    :ivar credential: number of the credential in its round.
    :ivar way: ``header``, ``redeem`` (with a challenge) or ``exchange``.
    :ivar delay: seconds after the release.
    :ivar copies: times that it is sent again after it was decided.
    :ivar fresh: whether it opens a connection of its own.
    """

    credential: int
    way: str
    url: str
    header: str | None
    body: str | None
    delay: float = 0.0
    copies: int = 0
    fresh: bool = False


@dataclass(frozen=True)
class Answer:
    """One answer, as a client received it.

    :ivar cause: of a refusal; ``view-failed`` where the view failed on purpose, ``connection`` where there was no answer,
        empty where something was granted.
    :ivar reference, amount, change: of the receipt: payment id, tickets paid, blind signatures (base64url).
    :ivar text: what a view delivered.
    """

    credential: int
    way: str
    status: int
    cause: str
    reference: str = ""
    amount: str = ""
    change: tuple[str, ...] = ()
    text: str = ""
    access: str | None = field(default=None, repr=False)

    @property
    def granted(self) -> bool:
        """Whether it says that the tickets were taken: a receipt came with it."""
        return self.reference != ""

    @property
    def delivered(self) -> bool:
        """Whether the view's own answer came."""
        return self.status == 200 and self.text != ""


class Spenders:
    """`number` processes and the barrier that releases them."""

    def __init__(self, number: int) -> None:
        context = processes()
        self.number = number
        self._barrier = context.Barrier(number)
        self._pipes, self._processes = [], []
        for index in range(number):
            ours, theirs = context.Pipe()
            process = context.Process(target=_spend, args=(theirs, self._barrier, index), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def fire(self, volleys: t.Sequence[t.Sequence[Shot]], seed: str) -> None:
        """Hand each process its shots; the last one to be ready releases all."""
        for pipe, shots in zip(self._pipes, volleys, strict=True):
            pipe.send((list(shots), seed))

    def answers(self) -> list[Answer]:
        """Return everything that everybody was answered since :meth:`fire`."""
        found: list[Answer] = []
        for index, pipe in enumerate(self._pipes):
            if not pipe.poll(PATIENCE * 2):
                raise RuntimeError(f"spender {index} has not come back")
            report = pipe.recv()
            if isinstance(report, str):
                raise RuntimeError(f"spender {index}: {report}")
            found += report
        return found

    def close(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
        for pipe in self._pipes:
            pipe.close()


def open_plain() -> httpx.Client:
    """Return a client for plain http that keeps no cookies: a pass would open the page to credentials that lost."""
    jar = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    # Loading certificates, which plain http does not need, takes longer than a whole round.
    return httpx.Client(timeout=PATIENCE, trust_env=False, verify=False, cookies=jar)


def _spend(pipe: t.Any, barrier: t.Any, index: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kept = open_plain()
    while True:
        try:
            shots, seed = pipe.recv()
        except EOFError:
            return
        try:
            barrier.wait(PATIENCE)
            began = time.monotonic()
            chance = random.Random(f"{seed} {index}")
            answers: list[Answer] = []
            for shot in shots:
                time.sleep(max(0.0, began + shot.delay - time.monotonic()))
                if shot.fresh:
                    kept.close()
                    kept = open_plain()
                answers += _shoot(kept, shot, chance)
            pipe.send(answers)
        except Exception as error:
            pipe.send(f"{type(error).__name__}: {error}")


def _shoot(client: httpx.Client, shot: Shot, chance: random.Random) -> t.Iterator[Answer]:
    """Send `shot` until it is decided, then its copies, then use a pass that it brought."""
    end = time.monotonic() + PATIENCE
    failures, copies = 0, shot.copies
    while True:
        answer = _send(client, shot)
        yield answer
        if answer.cause in (*WAITING, "connection") and time.monotonic() < end:
            time.sleep(chance.uniform(0.005, 0.08))
            continue
        if answer.cause == "view-failed":
            failures += 1
            if failures < GIVING_UP:
                continue
        if answer.access is not None:
            yield from _use(client, shot, answer.access, end, chance)
        if copies == 0:
            return
        copies -= 1


def _use(
    client: httpx.Client, shot: Shot, access: str, end: float, chance: random.Random
) -> t.Iterator[Answer]:
    while True:
        answer = _ask(client, shot.credential, "pass", "GET", shot.url, {"TicketMiner-Pass": access}, None)
        yield answer
        if answer.cause not in (*WAITING, "connection") or time.monotonic() > end:
            return
        time.sleep(chance.uniform(0.002, 0.04))


def _send(client: httpx.Client, shot: Shot) -> Answer:
    if shot.way == "header":
        headers = {"Authorization": t.cast(str, shot.header)}
        return _ask(client, shot.credential, shot.way, "GET", shot.url, headers, None)
    origin = shot.url[: shot.url.index("/", 8)]
    headers = {"Content-Type": "application/json"}
    return _ask(client, shot.credential, shot.way, "POST", f"{origin}/ticketminer/redeem", headers, shot.body)


def _ask(
    client: httpx.Client,
    credential: int,
    way: str,
    method: str,
    url: str,
    headers: dict[str, str],
    body: str | None,
) -> Answer:
    try:
        reply = client.request(method, url, headers={**headers, "Accept": "*/*"}, content=body)
    except httpx.TransportError as error:
        return Answer(credential, way, 0, "connection", text=type(error).__name__)
    return read_answer(credential, way, reply)


def read_answer(credential: int, way: str, reply: httpx.Response) -> Answer:
    """Return what `reply` says; what it should not say is kept as its cause."""
    if DELIBERATE in reply.headers:
        return Answer(credential, way, reply.status_code, "view-failed")
    kind = reply.headers.get("Content-Type", "").partition(";")[0]
    if reply.status_code >= 400:
        if kind != "application/problem+json":
            return Answer(credential, way, reply.status_code, f"http-{reply.status_code}")
        problem = decode_json(reply.content)
        receipt = problem.get("receipt")
        return _granted(credential, way, reply.status_code, str(problem.get("cause")), receipt or {})
    if way in ("redeem", "exchange"):
        members = decode_json(reply.content)
        receipt = {**members["receipt"], "change": members["change"], "pass": members["pass"]}
        return _granted(credential, way, reply.status_code, "", receipt)
    text = reply.headers.get("Payment-Receipt")
    receipt = {} if text is None else json.loads(unb64url(text))
    return _granted(credential, way, reply.status_code, "", receipt, reply.text)


def _granted(
    credential: int, way: str, status: int, cause: str, receipt: t.Mapping[str, t.Any], text: str = ""
) -> Answer:
    access = receipt.get("pass")
    return Answer(
        credential,
        way,
        status,
        cause,
        receipt.get("reference", ""),
        receipt.get("amount", ""),
        tuple(receipt.get("change", ())),
        text,
        None if access is None else access["token"],
    )
