"""The torture itself: a tenth of what ``make torture`` runs, through the same code."""

from __future__ import annotations

import os
import pathlib
import random

import pytest
from torture_batches import PARTS, Broken, play


@pytest.fixture(scope="module")
def seed() -> str:
    """What decides everything; ``TICKETMINER_TORTURE_SEED`` repeats a run."""
    return os.environ.get("TICKETMINER_TORTURE_SEED") or str(random.SystemRandom().randrange(10**9))


@pytest.mark.parametrize("part", PARTS, ids="-".join)
def test_torture(
    part: tuple[str, str], seed: str, tmp_path: pathlib.Path, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("postgres_server") if part[1] == "postgresql" else None
    rounds = PARTS[part] // 10
    try:
        tally = play(part, seed, 0, rounds, tmp_path / "site", server, evidence=tmp_path / "evidence")
    except Broken as broken:
        pytest.fail(f"TICKETMINER_TORTURE_SEED={seed}: {broken}; evidence in {tmp_path}", pytrace=False)
    assert (tally.rounds, tally.lost, tally.doubled) == (rounds, 0, 0)
    assert tally.winners > rounds
    if part[0] in ("server-kill", "database-cut"):
        met = {moment.partition("/")[0] for moment in tally.moments} & {"submit", "reserve", "settle"}
        assert len(met) >= 2, (
            tally.moments
        )  # a run in full wants all three: chance may leave one out of so few
        assert tally.interrupted > 0
