"""One tab of an origin mines at a time, in real browsers: by Web Locks, and without them on plain http."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from browsers import Browser, Profile
from engine_pages import Page, served

PATIENCE = 45
"""Seconds: many times a lease and the time until somebody looks again, for machines that do much else."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served() as found:
        yield found


@pytest.fixture(params=["locks", "deleted", "insecure"])
def visit(request: pytest.FixtureRequest, profile: Profile, port: int) -> Callable[[], Page]:
    """Open another tab of one profile: with Web Locks, without them, and on an origin that has none."""
    kind: str = request.param

    def open_tab() -> Page:
        page = Page(profile, f"http://{'shop.test' if kind == 'insecure' else '127.0.0.1'}:{port}")
        if kind == "deleted":
            page("Object.defineProperty(navigator, 'locks', { value: undefined })")
        assert page("Boolean(navigator.locks)") == (kind == "locks")
        assert page("isSecureContext") == (kind != "insecure")
        page("(turn = new Turn('ticketminer-miner', { visible: true }), 0)")
        page("(turn.changes = 0, turn.onchange = () => turn.changes++, 0)")
        return page

    return open_tab


def until(page: Page, held: bool) -> None:
    assert page(f"await until(() => turn.held === {str(held).lower()}, {PATIENCE})")


def test_the_first_tab_has_the_turn_and_the_second_gets_it_when_it_is_released(
    visit: Callable[[], Page],
) -> None:
    first, second = visit(), visit()
    first("turn.take()")
    assert first("[turn.held, turn.changes]") == [True, 1]
    second("turn.take()")
    assert second("[turn.held, turn.changes]") == [False, 0]
    first("turn.release()")
    assert first("turn.held") is False
    until(second, True)
    assert second("turn.changes") == 1


def test_a_hidden_tab_gives_the_turn_to_a_visible_one_and_waits_for_it(visit: Callable[[], Page]) -> None:
    first, second = visit(), visit()
    first("turn.take()")
    second("turn.take()")
    first("turn.show(false)")
    assert first("turn.held") is False
    until(second, True)
    first("turn.show(true)")
    first("sleep(3000)")
    assert [first("turn.held"), second("turn.held")] == [False, True]
    second("turn.show(false)")
    until(first, True)


def test_a_tab_that_wants_nothing_gets_nothing(visit: Callable[[], Page]) -> None:
    first, second = visit(), visit()
    first("turn.take()")
    second("turn.take()")
    second("turn.release()")
    first("turn.release()")
    second("sleep(500)")
    assert [first("turn.held"), second("turn.held"), second("turn.changes")] == [False, False, 0]


def test_a_hidden_tab_that_wants_it_takes_nothing(visit: Callable[[], Page]) -> None:
    page = visit()
    page("turn.show(false)")
    page("turn.take()")
    assert page("turn.held") is False
    page("turn.show(true)")
    until(page, True)


def test_a_closed_tab_leaves_the_turn_to_another(visit: Callable[[], Page]) -> None:
    first, second = visit(), visit()
    first("turn.take()")
    second("turn.take()")
    first.tab.close()
    until(second, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "shop.test"])
def test_a_killed_tab_leaves_the_turn_to_another(
    own_browser: Callable[[], Browser], port: int, host: str
) -> None:
    profile = own_browser().profile()
    first, second = (Page(profile, f"http://{host}:{port}") for _ in range(2))
    for page in (first, second):
        page("(turn = new Turn('ticketminer-miner', { visible: true })).take()")
    assert [first("turn.held"), second("turn.held")] == [True, False]
    first.tab.crash()
    until(second, True)


def test_the_turn_is_kept_as_long_as_it_is_wanted(visit: Callable[[], Page]) -> None:
    first, second = visit(), visit()
    first("turn.take()")
    second("turn.take()")
    second("sleep(8000)")
    assert [first("[turn.held, turn.changes]"), second("[turn.held, turn.changes]")] == [
        [True, 1],
        [False, 0],
    ]


def test_taking_and_releasing_in_a_hurry_leaves_what_was_wanted_last(visit: Callable[[], Page]) -> None:
    first, second = visit(), visit()
    first("(turn.take(), turn.release(), turn.take(), turn.release(), turn.take(), 0)")
    until(first, True)
    second("(turn.take(), turn.release(), 0)")
    first("(turn.release(), turn.take(), turn.release(), 0)")
    second("turn.take()")
    until(second, True)
    assert first("turn.held") is False


def test_only_one_of_many_tabs_has_the_turn(visit: Callable[[], Page]) -> None:
    pages = [visit() for _ in range(3)]
    for page in pages:
        page("(turn.take(), 0)")
    while pages:
        pages[0].tab.until(lambda: held(pages), "a tab that has the turn")
        pages[0]("sleep(500)")
        (holder,) = held(pages)
        pages.remove(holder)
        holder("turn.release()")


def held(pages: list[Page]) -> list[Page]:
    return [page for page in pages if page("turn.held")]


def test_a_clock_that_was_set_back_does_not_keep_the_turn_for_a_dead_tab(profile: Profile, port: int) -> None:
    first, second = (Page(profile, f"http://shop.test:{port}") for _ in range(2))
    first("(Date.now = (now => () => now() + 3600000)(Date.now), 0)")
    first("(turn = new Turn('ticketminer-miner', { visible: true })).take()")
    first.tab.close()
    second("(turn = new Turn('ticketminer-miner', { visible: true })).take()")
    until(second, True)
