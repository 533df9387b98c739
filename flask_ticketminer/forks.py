"""What survives a fork: a child has one thread, and everything else as the other threads left it in that instant.

A lock that one of them held stays locked in the child, where nobody unlocks it any more. So whatever threads share is
:class:`Shared`, and a child makes its locks again. Where new locks are not enough, since a library has its own, the fork waits
until every thread has passed a :class:`Turnstile`.
"""

from __future__ import annotations

import abc
import functools
import os
import sys
import threading
import time
import typing as t
import weakref

_shared: set[weakref.ref[Shared]] = set()


class Shared(abc.ABC):
    """Base of what threads share: a subclass makes its locks in :meth:`_begin_process`.

    It calls ``super().__init__()`` last, since that calls :meth:`_begin_process`, which may need what was assigned before.
    """

    def __init__(self) -> None:
        self._begin_process()
        _shared.add(weakref.ref(self, _shared.discard))

    @abc.abstractmethod
    def _begin_process(self) -> None:
        """Make the locks; called once more in a forked child.

        Any thread may have been anywhere in this object. What is assigned in one step is either old or new and may stay; what takes
        several steps is reset here, and so is what counts the work of one process.
        """

    def _before_fork(self) -> None:  # noqa: B027 - most need nothing here
        """Prepare for a fork, which follows in this thread."""

    def _after_fork(self) -> None:  # noqa: B027
        """Undo in the parent what :meth:`_before_fork` did."""


class Turnstile:
    """Counts the threads inside ``with turnstile:`` and can be closed. Who is inside may enter again."""

    def __init__(self) -> None:
        self._entry = threading.Lock()
        self._inside: list[int] = []
        self._closed_by: int | None = None

    def __enter__(self) -> None:
        thread = threading.get_ident()
        if thread in self._inside:
            self._inside.append(thread)
        else:
            with self._entry:
                self._inside.append(thread)

    def __exit__(self, *_: object) -> None:
        self._inside.remove(threading.get_ident())

    def close(self, patience: float) -> bool:
        """Let no other thread in and wait until those inside have left, for `patience` seconds; return whether nobody is inside.

        It stays closed in any case, unless another thread keeps it closed.
        """
        deadline = time.monotonic() + patience
        if not self._entry.acquire(timeout=patience):
            return False
        self._closed_by = threading.get_ident()
        # A thread that forks inside would wait for itself.
        while any(thread != self._closed_by for thread in tuple(self._inside)):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return not self._inside

    def open(self) -> None:
        """Let threads in again, if this thread closed it."""
        if self._closed_by == threading.get_ident():
            self._closed_by = None
            self._entry.release()


def _all() -> list[Shared]:
    return [shared for reference in tuple(_shared) if (shared := reference()) is not None]


def _before_fork() -> None:
    for shared in _all():
        shared._before_fork()


def _after_fork_in_parent() -> None:
    for shared in _all():
        shared._after_fork()


def _after_fork_in_child() -> None:
    for shared in _all():
        shared._begin_process()
    if sys.version_info < (3, 12):
        _renew_cached_properties()


def _renew_cached_properties() -> None:
    """Give the cached properties of this package new locks: up to Python 3.11 all objects of a class share one."""
    package = __name__.partition(".")[0] + "."
    for module in [module for name, module in sys.modules.items() if name.startswith(package)]:
        for found in list(vars(module).values()):
            if isinstance(found, type) and found.__module__ == module.__name__:
                for attribute in vars(found).values():
                    if isinstance(attribute, functools.cached_property):
                        t.cast("t.Any", attribute).lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )
