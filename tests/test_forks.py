"""A process may fork whatever its other threads are doing: the child answers, and the parent goes on. See ``forking.py``."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest

from flask_ticketminer.forks import Turnstile

PROGRAM = pathlib.Path(__file__).parent / "forking.py"
SHARED = {
    *("Bucket", "Database", "Housekeeper", "KeptStatistics", "KeyRing", "Places", "Site", "SpentFiles"),
    *("ValueFloor", "_FirstRequest", "_Pool"),
}


class Scenes(t.NamedTuple):
    ended: dict[str, int]
    held: set[str]
    text: str


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    """What became of the children of each scene."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    # From Python 3.12 on it warns whoever forks with threads; here they are the point.
    words = [sys.executable, "-W", "ignore::DeprecationWarning", PROGRAM, tmp_path_factory.mktemp("forks")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 2, done.stderr
    return Scenes(lines[1], set(lines[0]), done.stderr)


def test_a_child_answers_whatever_lock_another_thread_held(scenes: Scenes) -> None:
    assert scenes.ended["locks"] == 0, scenes.text
    assert scenes.held >= SHARED


def test_a_child_signs_whatever_signature_was_being_made(scenes: Scenes) -> None:
    assert scenes.ended["signing"] == 0, scenes.text


def test_a_key_that_was_being_made_is_the_same_for_parent_and_child(scenes: Scenes) -> None:
    assert scenes.ended["making_a_key"] == 0, scenes.text


def test_a_child_tidies_although_its_parent_was_at_it(scenes: Scenes) -> None:
    assert scenes.ended["tidying"] == 0, scenes.text


def test_children_tidy_at_times_of_their_own(scenes: Scenes) -> None:
    assert scenes.ended["resting"] == 0, scenes.text


def test_a_fork_waits_for_those_who_read(scenes: Scenes) -> None:
    assert scenes.ended["reading"] == 0, scenes.text


def test_a_fork_waits_for_a_database_that_is_being_opened(scenes: Scenes) -> None:
    assert scenes.ended["opening"] == 0, scenes.text


# Turnstiles


def test_a_turnstile_closes_when_everybody_has_left() -> None:
    turnstile, inside, leave = Turnstile(), threading.Event(), threading.Event()

    def pass_through() -> None:
        with turnstile:
            inside.set()
            leave.wait()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(pass_through)
        inside.wait()
        assert not turnstile.close(0.01)
        turnstile.open()
        leave.set()
    assert turnstile.close(0.01)


def test_a_closed_turnstile_lets_others_in_when_it_is_opened() -> None:
    turnstile, inside = Turnstile(), threading.Event()
    assert turnstile.close(0)

    def enter() -> None:
        with turnstile:
            inside.set()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(enter)
        assert not inside.wait(0.05)
        turnstile.open()
    assert inside.is_set()


def test_who_is_inside_a_closed_turnstile_may_enter_again() -> None:
    turnstile, inside, closed = Turnstile(), threading.Event(), threading.Event()

    def enter_twice() -> bool:
        with turnstile:
            inside.set()
            closed.wait()
            with turnstile:
                return True

    with ThreadPoolExecutor(1) as threads:
        entered = threads.submit(enter_twice)
        inside.wait()
        assert not turnstile.close(0)
        closed.set()
        assert entered.result()
    turnstile.open()


def test_a_thread_that_forks_inside_does_not_wait_for_itself() -> None:
    turnstile = Turnstile()
    with turnstile:
        assert not turnstile.close(60)
        turnstile.open()
    assert turnstile.close(0)
