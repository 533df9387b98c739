"""The paths of the compiled kernels: those that the processor's flags allow, forced ones, and scans that stop in all of them."""

from __future__ import annotations

import dataclasses
import itertools
import os
import pathlib
import subprocess
import sys
import threading
import types
import typing as t

import pytest
from conftest import missing
from kernel_report import report

from miner.pow import ALGORITHMS, Algorithm, UnknownImplementation, compiled, target_for

pytest.importorskip("miner.pow._kernels", reason="the kernels were not compiled here")

from miner.pow import _kernels
from miner.pow.ethash import dataset
from miner.pow.ethash.table import Table

HERE = pathlib.Path(__file__).parent

AVX512 = {"avx512f", "avx512bw"}
NEEDS: dict[str, dict[str, set[str]]] = {
    "sha256d": {
        "avx512": AVX512,
        "shani": {"sha_ni", "ssse3", "sse4_1"},
        "avx2": {"avx2"},
        "sse2": {"sse2"},
        "portable": set(),
        "reference": set(),
    },
    "scrypt": {"avx512": AVX512, "avx2": {"avx2"}, "sse2": {"sse2"}, "portable": set(), "reference": set()},
    "neoscrypt": {"avx512": AVX512, "avx2": {"avx2"}, "sse2": {"sse2"}, "portable": set()},
    "yespower": {"avx512": AVX512 | {"avx512vl"}, "sse2": {"sse2"}, "portable": set()},
    "ethash": {"avx512": AVX512, "avx2": {"avx2"}, "portable": set()},
}
"""The flags in /proc/cpuinfo that a path needs, for each algorithm the fastest first."""

PATHS = [(name, path) for name, algorithm in ALGORITHMS.items() for path in algorithm.implementations]
BLOBS = {name: bytes(range(84)) for name in NEEDS} | {"ethash": bytes(range(40))}
MOST_SECONDS = 0.050
"""Between being told to stop and having stopped."""

every_path = pytest.mark.parametrize(("name", "path"), PATHS)


def flags() -> set[str]:
    """Return what Linux says that this processor can do."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        missing("needs /proc/cpuinfo, which Linux has")
        raise
    lines = [line.partition(":")[2] for line in text.splitlines() if line.startswith("flags")]
    return set(lines[0].split()) if lines else set()


@pytest.mark.parametrize("name", NEEDS)
def test_the_paths_are_those_the_processors_flags_allow_the_fastest_first(name: str) -> None:
    here = flags()
    allowed = tuple(path for path, needed in NEEDS[name].items() if needed <= here)
    assert ALGORITHMS[name].implementations == allowed


def test_every_algorithm_and_compiled_path_is_known_here() -> None:
    assert set(ALGORITHMS) == set(NEEDS)
    rows = [row[:2] for row in (*_kernels.kernels(), *_kernels.ethash_kernels())]
    assert sorted(rows) == sorted((name, path) for name, path in known() if path != "reference")


def known() -> list[tuple[str, str]]:
    """Return what is compiled for this kind of processor, whatever this one can do."""
    compiled_for_it = {path for _, path, *_ in _kernels.kernels()}
    return [
        (name, path)
        for name, paths in NEEDS.items()
        for path in paths
        if path in {*compiled_for_it, "reference"}
    ]


@every_path
def test_the_environment_forces_a_path(name: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETMINER_KERNEL", path)
    assert ALGORITHMS[name].kernel().name == path


@pytest.mark.parametrize("name", NEEDS)
@pytest.mark.parametrize("wrong", ["nonsense", "AVX512", "simd128"])
def test_a_path_in_the_environment_that_is_none_is_refused_with_the_remedy(
    name: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKETMINER_KERNEL", wrong)
    for call in (
        lambda: ALGORITHMS[name].hash(BLOBS[name], epoch=0),
        lambda: ALGORITHMS[name].scan(BLOBS[name], 0, count=1, nonce_offset=32, nonce_size=8, epoch=0),
    ):
        with pytest.raises(UnknownImplementation, match=r"choose from .*portable.*unset TICKETMINER_KERNEL"):
            call()


def test_an_empty_variable_forces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETMINER_KERNEL", "")
    assert ALGORITHMS["sha256d"].kernel() is ALGORITHMS["sha256d"].kernels[0]


@pytest.fixture
def short_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Epoch 0 of ethash with a dataset of 61 pages."""
    rows = bytearray(64 * 31)
    _kernels.ethash_build_cache(bytes(32), rows)
    monkeypatch.setitem(dataset._opened, (0, 30000), Table(Table(rows, 61).items(0, 122)))


def search(name: str, path: str, count: int, **options: t.Any) -> t.Any:
    return ALGORITHMS[name].scan(
        BLOBS[name],
        target_for(3),
        count=count,
        nonce_offset=len(BLOBS[name]) - 8,
        nonce_size=8,
        epoch=0,
        implementation=path,
        **options,
    )


@every_path
@pytest.mark.usefixtures("short_dataset")
def test_a_stopped_scan_returns_every_hit_of_what_it_tried(name: str, path: str) -> None:
    stop, calls = threading.Event(), []

    def progress(hashes: int) -> None:
        calls.append(hashes)
        if len(calls) == 2:
            stop.set()

    found = search(name, path, 2**60, stop=stop, progress=progress)
    assert found.hashes == sum(calls)
    assert found == search(name, "portable", found.hashes)


@pytest.mark.parametrize("slower", [0.01, 1, 10, 40])
@every_path
def test_a_scan_looks_at_its_stop_after_50_ms_of_work_at_most(
    name: str, path: str, slower: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much slower a hash is than the first chunk takes for granted, and though it becomes five times slower meanwhile."""
    kernel = ALGORITHMS[name].kernel(path)
    cost, now, looks = slower * 0.001 / kernel.first_chunk, 0.0, [0.0]

    def scan(blob: bytes, target: int, start: int, count: int, *_: object, **__: object) -> list[t.Any]:
        nonlocal now
        batches = -(-count // kernel.lanes)
        now += batches * kernel.lanes * cost * (5 if len(looks) > 30 and slower <= 1 else 1)
        return []

    def stop() -> bool:
        looks.append(now)
        return len(looks) > 60

    monkeypatch.setattr("miner.pow.registry.time", types.SimpleNamespace(perf_counter=lambda: now))
    scripted = Algorithm(name, "little", (dataclasses.replace(kernel, scan=scan),))
    scripted.scan(BLOBS[name], 0, count=2**50, nonce_offset=32, nonce_size=8, stop=stop)
    assert len(looks) > 60
    assert max(after - before for before, after in itertools.pairwise(looks)) <= MOST_SECONDS


@every_path
@pytest.mark.usefixtures("short_dataset")
def test_threads_that_hash_at_once_do_not_disturb_each_other(name: str, path: str) -> None:
    wanted, found = search(name, path, 40), []
    threads = [threading.Thread(target=lambda: found.append(search(name, path, 40))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 4


@pytest.mark.parametrize("name", ["sha256d", "scrypt", "neoscrypt", "yespower"])
def test_whatever_is_bytes_can_be_hashed(name: str) -> None:
    algorithm, data = ALGORITHMS[name], BLOBS[name]
    for path in algorithm.implementations:
        for kind in (bytearray, memoryview):
            assert algorithm.hash(kind(data), implementation=path) == algorithm.hash(
                data, implementation=path
            )


def test_a_processor_that_lacks_something_gets_the_next_path(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("sha256d", "avx512", False, 16), ("sha256d", "sse2", True, 4), ("scrypt", "sse2", True, 3)]
    lesser = types.SimpleNamespace(kernels=lambda: rows, ethash_kernels=lambda: [("ethash", "avx2", False)])
    monkeypatch.setattr(compiled, "_kernels", lesser)
    assert [kernel.name for kernel in compiled.compiled_kernels("sha256d")] == ["sse2"]
    assert compiled.absent_paths() == (("sha256d", "avx512"), ("ethash", "avx2"))


@pytest.mark.parametrize(
    ("absent", "built", "said"),
    [
        ([], True, "kernels: every compiled path ran"),
        ([("sha256d", "avx512"), ("ethash", "avx2")], True, "cannot run sha256d/avx512, ethash/avx2"),
        ([], False, "none were compiled"),
    ],
)
def test_the_summary_names_what_could_not_run(absent: list[tuple[str, str]], built: bool, said: str) -> None:
    assert said in report(absent, built=built)


def pytest_without_kernels(tmp_path: pathlib.Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one quick test of the suite as on a machine where nothing was compiled."""
    (tmp_path / "nothing_compiled.py").write_text("import sys\nsys.modules['miner.pow._kernels'] = None\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "nothing_compiled", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, str(HERE / "test_pow.py"), "-k", "short_message"],
        env=os.environ | {"PYTHONPATH": str(tmp_path), "TICKETMINER_REQUIRE_NATIVE": ""} | environment,
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_without_kernels_says_so(tmp_path: pathlib.Path) -> None:
    done = pytest_without_kernels(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kernels: none were compiled" in done.stdout


def test_a_run_that_requires_kernels_and_has_none_fails(tmp_path: pathlib.Path) -> None:
    done = pytest_without_kernels(tmp_path, TICKETMINER_REQUIRE_NATIVE="1")
    assert done.returncode != 0
    assert "TICKETMINER_REQUIRE_NATIVE=1" in done.stderr
