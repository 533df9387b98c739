"""The hash functions of proof of work, by name, and the search for nonces that meet a target.

An :class:`Algorithm` is a digest order and one or more kernels. A :class:`Kernel` is one way of computing it on this
machine: the readable reference, or compiled code. Everything else (checking ranges, stopping, reporting progress) is
written once here, around whatever kernel runs.
"""

from __future__ import annotations

import os
import time
import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from miner.pow.errors import BadRange, PowError, UnknownAlgorithm, UnknownImplementation, not_compiled

Hits = list[tuple[int, bytes]]
Stop = Callable[[], object]

MAX_TARGET = 2**256 - 1
POLL_SECONDS = 0.005
"""How much hashing lies between two looks at `stop`; small enough that a stop takes effect within about 10 ms."""


class Stoppable(t.Protocol):
    """Anything like :class:`threading.Event`."""

    def is_set(self) -> bool: ...


class HashFunction(t.Protocol):
    """Returns the 32-byte digest of `data`, as the algorithm prints it."""

    def __call__(self, data: bytes, *, seed: bytes | None, epoch: int | None, epoch_length: int) -> bytes: ...


class ScanFunction(t.Protocol):
    """Returns every hit among `count` nonces from `start`, ascending; arguments were checked by the caller."""

    def __call__(
        self,
        blob: bytes,
        target: int,
        start: int,
        count: int,
        nonce_offset: int,
        nonce_size: int,
        *,
        seed: bytes | None,
        epoch: int | None,
        epoch_length: int,
    ) -> Hits: ...


@dataclass(frozen=True, slots=True)
class Kernel:
    """One way of computing an algorithm here.

    :attr name: ``reference``, ``portable`` or an instruction set.
    :attr releases_gil: whether several threads hash in parallel; without it a second thread gains nothing.
    :attr first_chunk: hashes that take about a millisecond, before anything was measured.
    :attr lanes: nonces that are computed at once, whether asked for or not; slices are multiples of it.
    """

    name: str
    hash: HashFunction
    scan: ScanFunction
    releases_gil: bool
    first_chunk: int = 1
    lanes: int = 1

    def whole_batches(self, count: float) -> int:
        """Return how many nonces to try where `count` would be right: a multiple of the lanes, and at least that."""
        return max(1, int(count) // self.lanes) * self.lanes


class Scan(t.NamedTuple):
    """The outcome of a slice: every hit as (nonce, digest), ascending, and how many nonces were tried."""

    hits: Hits
    hashes: int


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A hash function with a name of its own and the kernels that compute it, the fastest first.

    :attr digest_order: how the 32 bytes of a digest are read as the number that is compared with a target.
    """

    name: str
    digest_order: t.Literal["little", "big"]
    kernels: tuple[Kernel, ...]

    @property
    def implementations(self) -> tuple[str, ...]:
        """Names of the kernels this machine can mine with, the fastest (and default) first."""
        return tuple(kernel.name for kernel in self.kernels)

    @property
    def releases_gil(self) -> bool:
        """Whether the default kernel gains from more than one thread."""
        return self.kernel().releases_gil

    def kernel(self, implementation: str | None = None) -> Kernel:
        """Return the kernel named `implementation`, or the default one.

        The environment variable ``TICKETMINER_KERNEL`` names another default.

        :raises UnknownImplementation: this machine has no such kernel.
        :raises NotCompiled: there is none at all.
        """
        name = choose(self.name, self.implementations, implementation)
        return next(kernel for kernel in self.kernels if kernel.name == name)

    def hash(
        self,
        data: bytes,
        *,
        seed: bytes | None = None,
        epoch: int | None = None,
        epoch_length: int = 30000,
        implementation: str | None = None,
    ) -> bytes:
        """Return the raw 32-byte digest of `data`.

        :param seed: with `epoch` and `epoch_length`, what ethash needs; other algorithms ignore all three.
        :raises BadLength: the algorithm takes no data of this length (neoscrypt: 64 to 256 bytes; ethash: 40; others: any).
        :raises BadEpoch, TableMissing, TableBusy: ethash alone, where no cache can be had; see :mod:`miner.pow.ethash`.
        :raises UnknownImplementation: this machine has no such kernel.
        """
        kernel = self.kernel(implementation)
        return kernel.hash(_octets(data), seed=seed, epoch=epoch, epoch_length=epoch_length)

    def value(self, digest: bytes) -> int:
        """Return the number a digest stands for, from 0 to 2^256 - 1."""
        return int.from_bytes(digest, self.digest_order)

    def meets(self, digest: bytes, target: int) -> bool:
        """Return whether `digest` holds as a share: its number is at most `target`."""
        return self.value(digest) <= target

    def scan(
        self,
        blob: bytes,
        target: int,
        *,
        start: int = 0,
        count: int,
        nonce_offset: int,
        nonce_size: int,
        seed: bytes | None = None,
        epoch: int | None = None,
        epoch_length: int = 30000,
        implementation: str | None = None,
        stop: Stoppable | Stop | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> Scan:
        """Try the nonces `start` … `start + count - 1` in `blob` and return every one that meets `target`.

        The nonce is an unsigned little-endian integer of `nonce_size` (1 to 8) bytes at `nonce_offset`. The bytes that
        stand there in `blob` are ignored.

        :param stop: an object with ``is_set()`` or a callable; once true, the scan returns within about 10 ms with the
            hits of the nonces it tried, which are the first ``hashes`` of the slice.
        :param progress: called with the number of hashes since its last call, every 5 ms or so and at the end.
        :raises BadRange: the nonce does not fit the blob, or the slice leaves the nonce's range.
        :raises PowError: `target` is not a 256-bit number.
        :raises BadLength, BadEpoch, TableMissing, TableBusy: as :meth:`hash` does; compiled kernels search blobs of up to 128 bytes.
        :raises UnknownImplementation: this machine has no such kernel.
        """
        kernel = self.kernel(implementation)
        blob = _octets(blob)
        _check_range(blob, start, count, nonce_offset, nonce_size)
        if not (isinstance(target, int) and 0 <= target <= MAX_TARGET):
            raise PowError("A target is a number from 0 to 2^256 - 1; use target_for(expected_hashes).")
        stopped = _stop_function(stop)
        hits: Hits = []
        done, chunk = 0, kernel.first_chunk
        while done < count and not stopped():
            chunk = min(chunk, count - done)
            began = time.perf_counter()
            hits += kernel.scan(
                blob,
                target,
                start + done,
                chunk,
                nonce_offset,
                nonce_size,
                seed=seed,
                epoch=epoch,
                epoch_length=epoch_length,
            )
            elapsed = time.perf_counter() - began
            done += chunk
            if progress is not None:
                progress(chunk)
            chunk = kernel.whole_batches(min(2 * chunk, chunk * POLL_SECONDS / max(elapsed, 1e-9)))
        return Scan(hits, done)


class Algorithms(dict[str, Algorithm]):
    """Algorithms by name; asking for one that is not here says which are."""

    def __missing__(self, name: str) -> t.NoReturn:
        raise UnknownAlgorithm(
            f"There is no algorithm {name!r} here; this installation has {', '.join(sorted(self))}."
        )


def choose(algorithm: str, here: Sequence[str], implementation: str | None) -> str:
    """Return `implementation`, or else the one that ``TICKETMINER_KERNEL`` names, or else the first of those `here`.

    :raises UnknownImplementation: it is not here.
    :raises NotCompiled: none is.
    """
    wanted = implementation or os.environ.get("TICKETMINER_KERNEL")
    if not here:
        raise not_compiled(algorithm)
    if wanted and wanted not in here:
        raise UnknownImplementation(
            f"{algorithm} has no implementation {wanted!r} here; choose from {', '.join(here)}, or leave it out"
            + ("." if implementation else " (unset TICKETMINER_KERNEL).")
        )
    return wanted or here[0]


def target_for(expected_hashes: int) -> int:
    """Return the target that takes `expected_hashes` tries on average: 2^256 / expected - 1, rounded down."""
    if not isinstance(expected_hashes, int) or expected_hashes < 1:
        raise PowError("A job takes at least one hash; give expected_hashes as a positive integer.")
    return 2**256 // expected_hashes - 1


def expected_hashes(target: int) -> int:
    """Return how many tries `target` takes on average, rounded down."""
    if not 0 <= target <= MAX_TARGET:
        raise PowError("A target is a number from 0 to 2^256 - 1; use target_for(expected_hashes).")
    return 2**256 // (target + 1)


def python_kernel(digest: Callable[[bytes], bytes], *, releases_gil: bool, first_chunk: int) -> Kernel:
    """Return the ``reference`` kernel around `digest`, for digests that are read little-endian."""

    def hash_(data: bytes, **_: object) -> bytes:
        return digest(bytes(data))

    def scan(
        blob: bytes, target: int, start: int, count: int, nonce_offset: int, nonce_size: int, **_: object
    ) -> Hits:
        head, tail = blob[:nonce_offset], blob[nonce_offset + nonce_size :]
        limit = target.to_bytes(32, "big")
        hits: Hits = []
        for nonce in range(start, start + count):
            found = digest(head + nonce.to_bytes(nonce_size, "little") + tail)
            if found[::-1] <= limit:  # the reversed digest and the target compare as big-endian numbers do
                hits.append((nonce, found))
        return hits

    return Kernel(
        "reference", t.cast(HashFunction, hash_), t.cast(ScanFunction, scan), releases_gil, first_chunk
    )


def _octets(data: bytes) -> bytes:
    return bytes(memoryview(data))  # bytes(5) would be five zeros


def _check_range(blob: bytes, start: int, count: int, nonce_offset: int, nonce_size: int) -> None:
    if not 1 <= nonce_size <= 8:
        raise BadRange(f"A nonce is 1 to 8 bytes, not {nonce_size}; check nonce_size.")
    if nonce_offset < 0 or nonce_offset + nonce_size > len(blob):
        raise BadRange(
            f"A nonce of {nonce_size} bytes at {nonce_offset} lies outside a blob of {len(blob)} bytes; check "
            "nonce_offset and nonce_size."
        )
    if start < 0 or count < 0:
        raise BadRange("start and count must not be negative.")
    space = 1 << (8 * nonce_size)
    if start + count > space:
        raise BadRange(
            f"Nonces {start} to {start + count - 1} do not fit {nonce_size} bytes; end the slice at {space - 1} and "
            "begin another at 0."
        )


def _stop_function(stop: Stoppable | Stop | None) -> Stop:
    if stop is None:
        return lambda: False
    is_set = getattr(stop, "is_set", None)
    return t.cast(Stop, stop if is_set is None else is_set)
