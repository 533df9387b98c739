"""Processes that fork while their other threads are in the middle of something: ``python forking.py FOLDER``.

Each scene is a process of its own; it ends with 0 only when all its children answered. A child that hangs says where, and ends.
What the scenes ended with is printed last, as JSON.
"""

from __future__ import annotations

import faulthandler
import functools
import gc
import json
import os
import pathlib
import signal
import sys
import threading
import time
import traceback
import types
import typing as t

from mints import START, Mint
from sites import make_shop
from sqlalchemy import Connection, create_engine
from visitor import Visitor

from flask_ticketminer.clock import ManualClock
from flask_ticketminer.database import Database
from flask_ticketminer.mint.housekeeping import EVERY, Housekeeper
from flask_ticketminer.mint.key_pool import pooled_keys

PATIENCE = 30
"""Seconds that a child has."""
MOMENT = 0.3
"""Seconds for which a thread stays where a fork has to wait for it; the fork begins meanwhile."""
CHILDREN = 50
LOCKS = (type(threading.Lock()), type(threading.RLock()))
PACKAGE = "flask_ticketminer"


class Child:
    """A fork of this process; :meth:`end` returns its exit code, which is 0 if `work` returned something true."""

    def __init__(self, work: t.Callable[[], object], patience: int = PATIENCE) -> None:
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            signal.alarm(patience)
            code = 1
            try:
                code = 0 if work() else 2
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            os._exit(code)  # the other threads of a scene do not end

    def end(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def start(work: t.Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


# Every lock


def all_locks() -> dict[str, t.Any]:
    """Return the locks that objects, modules, closures and cached properties of the package hold, by their owner."""
    found: dict[str, t.Any] = {}

    def note(owner: str, values: t.Iterable[tuple[str, object]]) -> None:
        found.update({f"{owner} {name}": value for name, value in values if isinstance(value, LOCKS)})

    for thing in gc.get_objects():
        if isinstance(thing, types.ModuleType):
            if ours(thing.__name__):
                note(thing.__name__, vars(thing).items())
        elif isinstance(thing, types.FunctionType):
            if ours(thing.__module__):
                note(f"{thing.__qualname__} {id(thing)}", closed_over(thing))
        elif isinstance(thing, functools.cached_property):
            if ours(thing.func.__module__):
                note(f"cached_property {thing.func.__qualname__}", vars(thing).items())
        elif ours(type(thing).__module__) and hasattr(thing, "__dict__"):
            note(f"{type(thing).__name__} {id(thing)}", vars(thing).items())
    return found


def ours(module: str | None) -> bool:
    return str(module).partition(".")[0] == PACKAGE


def closed_over(function: types.FunctionType) -> t.Iterator[tuple[str, object]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # nothing is in it
            continue


def visit(visitor: Visitor) -> bool:
    """Use every endpoint that takes or gives something."""
    whole, change = visitor.output(2), visitor.output(1)
    ones = {"tickets": [visitor.ticket(1), visitor.ticket(1)], "outputs": [whole.member()]}
    joined = visitor.post("/redeem", {"payload": ones})
    credential = visitor.credential("/once", [whole.ticket(joined.json["change"][0])], [change])
    paths = "/", "/openapi.json", "/stats", "/dashboard", f"/keys/{whole.entry['key-id']}/spent"
    replies = [joined, visitor.pay("/once", credential), *(visitor.get("/ticketminer" + p) for p in paths)]
    return [reply.status_code for reply in replies] == [200] * len(replies)


def locks(folder: pathlib.Path) -> bool:
    """Another thread holds every lock there is, for ever; those of turnstiles alone it would give back soon."""
    shop = make_shop(folder, f"sqlite:///{folder}/site.sqlite", ManualClock(START))
    site = shop.app.extensions["ticketminer"]
    for part in set(dir(site)) - {"ledger"}:  # which the child makes
        getattr(site, part)
    held = {owner: lock for owner, lock in all_locks().items() if not owner.startswith("Turnstile")}
    holding = threading.Event()

    def hold() -> None:
        for lock in held.values():
            lock.acquire()
        holding.set()
        time.sleep(1000)

    start(hold)
    holding.wait()
    print(json.dumps(sorted({owner.split(" ")[0] for owner in held})))
    return Child(lambda: visit(Visitor(shop.app))).end() == 0


# In the middle of something


def signing(folder: pathlib.Path) -> bool:
    """Four threads sign all the time: at one fork in fifty, one of them holds the lock that OpenSSL has in a key."""
    mint = Mint(f"sqlite:///{folder}/mint.sqlite", ManualClock(START), signing_budget=10**6)
    key, blinded = mint.output(1)
    stop = threading.Event()

    def sign() -> None:
        while not stop.is_set():
            mint.keys.sign(key, blinded)

    for _ in range(4):
        start(sign)
    children = [Child(lambda: mint.keys.sign(key, blinded)) for _ in range(CHILDREN)]
    stop.set()
    return {child.end() for child in children} == {0}


def making_a_key(folder: pathlib.Path) -> bool:
    """Another thread is making a key, which the child then makes too; it has to be the same for everyone."""
    inside, go_on, pooled = threading.Event(), threading.Event(), pooled_keys()

    def generate() -> t.Any:
        if not in_main_thread():
            inside.set()
            go_on.wait()
        return pooled()

    mint = Mint(f"sqlite:///{folder}/mint.sqlite", ManualClock(START), keys={"generate": generate})
    thread = start(lambda: mint.keys.current(1))
    inside.wait()
    told = folder / "key"
    code = Child(lambda: told.write_bytes(mint.keys.current(1).key_id)).end()
    go_on.set()
    thread.join()
    return code == 0 and told.read_bytes() == mint.keys.current(1).key_id


def tidying(folder: pathlib.Path) -> bool:
    """Another thread is tidying; the child does its own round."""
    inside, rounds = threading.Event(), []

    def tidy() -> bool:
        rounds.append(os.getpid())
        if not in_main_thread():
            inside.set()
            time.sleep(1000)
        return True

    housekeeper = Housekeeper(tidy, first=0)
    start(housekeeper.run)
    inside.wait()

    def child() -> bool:
        housekeeper.run()
        return rounds[-1] == os.getpid()

    return Child(child).end() == 0


def resting(folder: pathlib.Path) -> bool:
    """The parent's next round is near; children draw their own times, or all would tidy at once."""
    now = [0.0]
    housekeeper = Housekeeper(lambda: True, monotonic=lambda: now[0], first=1)

    def due_at(seconds: float) -> bool:
        now[0] = seconds
        return housekeeper.due

    def child() -> bool:
        return not due_at(EVERY - 1) and not due_at(EVERY) and due_at(2 * EVERY)

    return not due_at(0) and Child(child).end() == 0 and due_at(EVERY)


def reading(folder: pathlib.Path) -> bool:
    """Another thread is in SQLite, whose own locks nobody can make again: the fork waits for it."""
    database = Database(f"sqlite:///{folder}/any.sqlite")
    inside, left = threading.Event(), threading.Event()

    def read(_: Connection) -> None:
        inside.set()
        time.sleep(MOMENT)
        left.set()

    start(lambda: database.read(read))
    inside.wait()
    return Child(lambda: left.is_set() and database.now()).end() == 0


def opening(folder: pathlib.Path) -> bool:
    """Another thread is opening a host's SQLite file."""
    url = f"sqlite:///{folder}/host.sqlite"
    Database(url).now()
    inside, left = threading.Event(), threading.Event()

    def engine() -> t.Any:
        inside.set()
        time.sleep(MOMENT)
        left.set()
        return create_engine(url)

    database = Database(host=engine)
    start(database.now)
    inside.wait()
    return Child(lambda: left.is_set() and database.now()).end() == 0


SCENES = (locks, signing, making_a_key, tidying, resting, reading, opening)


def main(folder: pathlib.Path) -> None:
    faulthandler.register(signal.SIGALRM, chain=True)
    ended = {}
    for scene in SCENES:
        place = folder / scene.__name__
        place.mkdir()
        ended[scene.__name__] = Child(functools.partial(scene, place), 2 * PATIENCE).end()
    print(json.dumps(ended))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
