"""The benchmarks run and say what they compare; what they measure is nobody's business here."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys
import time
import typing as t

import browsers
import pytest
from conftest import missing

from benchmarks import peers
from benchmarks.kernels import rows
from benchmarks.peers import Peer, PeerError, last_rate, parse_peer
from benchmarks.results import Result, median_ratio, percentile
from benchmarks.visit import Visit, results
from miner.pow import compiled

ROOT = pathlib.Path(__file__).parent.parent


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


def measured(*words: str) -> dict[str, dict[str, t.Any]]:
    done = run(*words)
    assert done.returncode == 0, done.stderr
    return {result["name"]: result for result in json.loads(done.stdout)["results"]}


def test_the_server_is_compared_with_a_bare_view_on_each_database(postgres_url: str) -> None:
    small = ("--rounds", "1", "--block", "5", "--postgresql", postgres_url)
    results = measured("server", "--json", *small)
    for name in ("redeem/sqlite", "redeem/postgresql", "submit/sqlite", "submit/postgresql"):
        assert results[name]["reference"] == "bare-view"
        assert results[name]["ratio"] > 0
        assert {"p50_ms", "p99_ms", "value", "unit"} <= results[name].keys()


def test_a_redemption_is_compared_among_few_and_many_spent_tickets() -> None:
    small = ("--rounds", "1", "--block", "5", "--only-spent", "--spent", "20000")
    results = measured("server", "--json", *small)
    assert results["redeem-cost/20,000-spent"]["ratio"] > 0


def test_an_unknown_benchmark_is_refused_with_the_names_there_are() -> None:
    done = run("sevrer")
    assert (done.returncode, "server" in done.stderr) == (2, True)


def test_ratios_compare_neighbouring_blocks() -> None:
    assert median_ratio([10, 40, 90], [20, 40, 100]) == pytest.approx(0.9)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert [percentile([4, 1, 3, 2], share) for share in (0.0, 0.5, 0.99)] == [1, 3, 4]


def test_a_result_carries_its_further_figures_beside_the_ratio() -> None:
    document = Result("a/b", 2.0, "1/s", "bare-view", 0.5, {"p50_ms": 1.0}).document()
    assert document == {
        "name": "a/b",
        "value": 2.0,
        "unit": "1/s",
        "reference": "bare-view",
        "ratio": 0.5,
        "p50_ms": 1.0,
    }


compiled_here = pytest.mark.skipif(
    not compiled.compiled_kernels("sha256d"), reason="the kernels were not compiled"
)
TINY = ("--rounds", "1", "--seconds", "0.01", "--json")


@compiled_here
def test_kernels_are_compared_with_hashlib_portable_c_and_peers() -> None:
    if shutil.which("node") is None:
        missing("needs Node: apt-get install nodejs")
    done = run("kernels", "scrypt", *TINY, "--peer", "a=echo 2 kH/s", "--peer", "wasm/b=echo 1 kH/s")
    assert done.returncode == 0, done.stderr
    found = {(row["name"], row["reference"]): row for row in json.loads(done.stdout)["results"]}
    native = {reference for name, reference in found if name == "scrypt/native"}
    page = {reference for name, reference in found if name == "scrypt/wasm"}
    assert (native, page) == ({"hashlib", "portable", "wasm", "a"}, {"native", "portable", "b"})
    assert found["scrypt/native", "a"]["ratio"] == pytest.approx(found["scrypt/native", "a"]["value"] / 2000)
    assert all(row["unit"] == "H/s" and row["value"] > 0 and row["ratio"] > 0 for row in found.values())
    assert {"scrypt/portable", "scrypt/wasm-scalar"} <= {name for name, _ in found}


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_a_page_is_compared_with_node(browser: str) -> None:
    reason = browsers.absent(browser)
    if reason is not None or shutil.which("node") is None:
        missing(reason or "needs Node: apt-get install nodejs")
    done = run("page", "scrypt", "--browser", browser, "--rounds", "1", "--seconds", "0.3", "--json")
    assert done.returncode == 0, done.stderr
    found = {(row["name"], row["reference"]): row["ratio"] for row in json.loads(done.stdout)["results"]}
    assert set(found) == {
        ("scrypt/page", "node"),
        ("scrypt/page-javascript", "node-scalar"),
        ("scrypt/page-javascript", "page"),
    }
    assert min(found.values()) > 0


def test_a_visit_is_compared_with_the_work_that_it_takes() -> None:
    reason = browsers.absent("chromium")
    if reason is not None:
        missing(reason)
    done = run("visit", "--runs", "1", "--effort", "64", "--json")
    assert done.returncode == 0, done.stderr
    found = {(row["name"], row["reference"]): row["ratio"] for row in json.loads(done.stdout)["results"]}
    assert set(found) == {("visit/expected", "expected-hashes"), ("visit/tried", "tried-hashes")}
    assert min(found.values()) > 0


def test_a_visits_ratios_are_medians_of_the_runs() -> None:
    lucky, slow, unlucky = Visit(4.0, 100, 300, 50), Visit(10.0, 300, 300, 50), Visit(20.0, 900, 300, 50)
    expected, tried = results([lucky, slow, unlucky])
    assert (expected.value, tried.value) == (10.0, 10.0)
    assert (expected.ratio, tried.ratio) == (0.6, 0.6)


def test_a_benchmark_of_an_unknown_algorithm_names_those_there_are() -> None:
    done = run("kernels", "sha512")
    assert (done.returncode, "sha256d" in done.stderr) == (2, True)


ROUNDS = {
    "avx2": [20.0, 40.0, 30.0],
    "portable": [10.0, 10.0, 10.0],
    "hashlib": [1.0, 1.0, 2.0],
    "wasm": [5.0, 5.0, 6.0],
    "wasm-scalar": [1.0, 2.5, 3.0],
    "two-threads": [40.0, 76.0, 60.0],
    "native/p": [10.0, 10.0, 20.0],
    "wasm/p": [1.0, 1.0, 1.0],
}
PEERS = [Peer("sha256d", "native", "p", ""), Peer("sha256d", "wasm", "p", "")]


def test_a_row_is_made_for_each_reference_and_path() -> None:
    found = {(row.name, row.reference): row.ratio for row in rows("sha256d", "avx2", ROUNDS, PEERS)}
    assert found == {
        ("sha256d/native", "hashlib"): 20.0,
        ("sha256d/native", "portable"): 3.0,
        ("sha256d/native", "wasm"): 5.0,
        ("sha256d/native", "p"): 2.0,
        ("sha256d/wasm", "native"): 0.2,
        ("sha256d/wasm", "portable"): 0.5,
        ("sha256d/wasm", "p"): 5.0,
        ("sha256d/wasm-scalar", "wasm"): 0.5,
        ("sha256d/two-threads", "one-thread"): 2.0,
        ("sha256d/avx2", "portable"): 3.0,
        ("sha256d/portable", "native"): pytest.approx(1 / 3),
    }


def test_a_row_has_medians_and_maxima_of_the_rounds() -> None:
    row = next(row for row in rows("sha256d", "avx2", ROUNDS, PEERS) if row.reference == "p")
    assert (row.value, row.unit) == (30.0, "H/s")
    assert row.more == {"max": 40.0, "ratio_of_maxima": 2.0, "reference_value": 10.0, "reference_max": 20.0}


def test_what_did_not_take_part_has_no_row() -> None:
    found = rows("neoscrypt", "portable", {"portable": [1.0]}, [])
    assert [(row.name, row.reference) for row in found] == [
        ("neoscrypt/native", "portable"),
        ("neoscrypt/portable", "native"),
    ]


@pytest.mark.parametrize(
    ("said", "rate"),
    [
        ("[2026-11-22 22:22:54] Total: 24.21 khash/s", 24_210.0),
        ("Thread 0, CPU 0: 355.56 kh/s\n\x1b[01;37m Benchmark: 15.67 MH/s\x1b[0m", 15_670_000.0),
        ("1,234,567.5 H/s", 1_234_567.5),
        ("2e3 hashes/s", 2000.0),
        ("370 H/s\n0.00 H/s", 370.0),
        ("done in 5 s", None),
        ("12 kH/sec", None),
    ],
)
def test_a_peers_rate_is_the_last_one_it_prints(said: str, rate: float | None) -> None:
    assert last_rate(said) == rate


def test_a_peer_is_told_the_slice_and_may_print_anywhere() -> None:
    assert Peer("scrypt", "native", "p", "echo $BENCHMARK_SECONDS kH/s >&2; exit 1").run(0.25) == 250.0


def test_a_peer_without_a_rate_is_an_error_that_says_what_was_expected() -> None:
    with pytest.raises(PeerError, match=r"(?s)MH/s.*status 3.*no such option"):
        Peer("scrypt", "native", "p", "echo no such option; exit 3").run(0.01)


def test_a_peer_that_goes_on_is_ended_with_all_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(peers, "PATIENCE", 0.2)
    command = f"sleep 60 & echo $! > {tmp_path}/child; echo 7 H/s; wait"
    assert Peer("scrypt", "native", "p", command).run(0.01) == 7.0
    status = pathlib.Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    deadline = time.monotonic() + 20  # a busy machine takes a while to end what is killed
    while status.exists() and status.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("scrypt/minerd=minerd -a scrypt", Peer("scrypt", "native", "minerd", "minerd -a scrypt")),
        ("scrypt/native/x=a=b", Peer("scrypt", "native", "x", "a=b")),
        ("sha256d/wasm/old=node old.js", Peer("sha256d", "wasm", "old", "node old.js")),
    ],
)
def test_a_peer_names_its_algorithm(text: str, peer: Peer) -> None:
    assert parse_peer(text, ["sha256d", "scrypt"]) == peer


def test_a_peer_need_not_name_the_only_algorithm() -> None:
    assert parse_peer("wasm/x=y", ["scrypt"]) == Peer("scrypt", "wasm", "x", "y")


@pytest.mark.parametrize("text", ["x", "x=", "=y", "scrypt/=y", "a/b/c/d=e", "x=y", "yespower/x=y"])
def test_a_peer_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(PeerError, match="=COMMAND"):
        parse_peer(text, ["sha256d", "scrypt"])


def test_a_peer_cannot_have_the_name_of_a_reference() -> None:
    done = run("kernels", "scrypt", *TINY, "--peer", "hashlib=echo 1 H/s")
    assert (done.returncode, "another name" in done.stderr) == (1, True)
