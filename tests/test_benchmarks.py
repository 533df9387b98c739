"""The benchmarks run and say what they compare; what they measure is nobody's business here."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import typing as t

import pytest

from benchmarks.results import Result, median_ratio, percentile

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
