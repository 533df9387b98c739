"""What ``ticketminer mine`` shows while it runs, and the words it uses for numbers."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from miner.cli import text
from miner.cli.display import View, draw
from miner.cli.download import served_name
from miner.cli.mining import summary
from miner.cli.reporters import LogLines
from miner.engine import Event, EventKind, Reason, SiteSnapshot, Snapshot, State

SITE = "https://shop.example"
WORKING = SiteSnapshot(
    SITE, "scrypt", value=4, expected_hashes=16000, searched=11100, elapsed=8, rate=1500, won=12
)


def picture(
    *sites: SiteSnapshot, state: State = State.MINING, reasons: tuple[Reason, ...] = (), **more: object
) -> Snapshot:
    values = {
        "threads": 1,
        "duty": 50,
        "elapsed": 65,
        "rate": 1500.0,
        "average": 1400.0,
        "accepted": 3,
        "won": 12,
    }
    return Snapshot(state, reasons, sites=sites or (WORKING,), **(values | more))  # type: ignore[arg-type]


def screen(view: Snapshot, *, width: int = 80, balance: int | None = 20) -> list[str]:
    console = Console(file=io.StringIO(), width=width, no_color=True, markup=False, highlight=False)
    console.print(draw(View(view, balance), width=width))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_screen_shows_state_search_rate_shares_and_tickets() -> None:
    assert screen(picture(goal=50)) == [
        "",
        "State    mining  1 min 5 s",
        "Site     shop.example",
        "Next     ████████████░░░░░░░░░░░░  worth 4",
        "         8 s so far, usually under 30 s",
        "Rate     1.50 kH/s now, 1.40 kH/s on average (scrypt)",
        "Shares   3 accepted, 0 refused",
        "Tickets  12 of 50 received, 20 in the wallet",
        "Power    unknown, 1 thread at 50 %",
        "",
        "Keys: p pause, q quit",
    ]


@pytest.mark.parametrize("width", [30, 44, 60, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = screen(picture(last_refusal="The job is over; a new one was asked for.", refused=1), width=width)
    assert max(map(len, lines)) <= width


def test_a_pause_is_shown_with_its_reasons_and_the_key_that_ends_it() -> None:
    lines = screen(picture(state=State.PAUSED, reasons=(Reason.BATTERY, Reason.USER), on_battery=True))
    assert lines[1] == "State    paused: the computer runs on battery and by you  1 min 5 s"
    assert lines[-1] == "Keys: r resume, q quit"
    assert any(line.startswith("Power    battery") for line in lines)


def test_a_site_without_work_says_why_and_when_it_is_asked_again() -> None:
    waiting = SiteSnapshot(SITE, waiting="The pool is away.", retry_in=8)
    lines = screen(picture(waiting, state=State.WAITING))
    assert lines[1].startswith("State    waiting for the site")
    assert "         The pool is away. Next try in 8 s." in lines


def test_an_unlucky_search_is_called_unlucky_and_never_counts_down() -> None:
    unlucky = SiteSnapshot(SITE, "scrypt", value=1, expected_hashes=1500, searched=9000, elapsed=6, rate=1500)
    assert "         6 s so far, unlucky: usually under 3 s" in screen(picture(unlucky))


def test_what_a_site_says_cannot_rewrite_the_terminal() -> None:
    lines = screen(picture(last_refusal="\x1b[2Jgone\u202e", refused=1))
    assert "         last refusal: [2Jgone" in lines


def log(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.split(" ", 1)[1] for line in capsys.readouterr().err.splitlines()]


def test_log_lines_come_every_few_seconds_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    lines = LogLines(several=False, clock=lambda: now[0])
    for _ in range(20):
        now[0] += 1
        lines.event(Event(EventKind.ACCEPTED, "Received 4 tickets.", SITE, {"value": 4}))
        lines.tick(picture())
    line = "mining; 12 received, 3 shares accepted, 0 refused, 1.50 kH/s"
    assert log(capsys) == [line] * 4


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, "Shares   3 accepted, 0 refused"),
        ({"moves": 1}, "Shares   3 accepted, 0 refused; upstream moved on once"),
        (
            {"moves": 7, "late": 1},
            "Shares   3 accepted, 0 refused; upstream moved on 7 times, 1 late share paid all the same",
        ),
    ],
)
def test_the_screen_says_how_often_upstream_moved_on(counts: dict[str, int], words: str) -> None:
    assert words in screen(picture(**counts), width=100)


def test_upstream_moving_on_is_part_of_the_status_and_no_line_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [100.0]
    lines = LogLines(several=False, clock=lambda: now[0])
    lines.event(Event(EventKind.MOVED, "Upstream has moved on; new work is on its way.", SITE))
    lines.tick(picture(moves=2))
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 1
    assert printed[0].endswith("1.50 kH/s; upstream moved on 2 times")


def test_a_wait_that_is_over_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    lines = LogLines(several=False, clock=lambda: now[0])
    lines.tick(picture())
    lines.event(Event(EventKind.WAITING, "No answer. Trying again in 1 s.", SITE))
    lines.event(Event(EventKind.JOB, "New job for 1 ticket.", SITE))
    now[0] += 10
    lines.tick(picture())
    assert len(log(capsys)) == 1


def test_several_sites_are_told_apart_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    lines = LogLines(several=True)
    lines.event(Event(EventKind.WAITING, "No answer.", SITE))
    lines.tick(picture())
    assert log(capsys) == ["shop.example: No answer."]


def test_the_summary_names_shares_that_are_still_on_their_way() -> None:
    assert summary(picture(pending=1)).endswith(
        "1 share could not be sent; the next command at this site repeats that."
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "under 1 s"),
        (45, "45 s"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (400_000, "4 days"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, words: str) -> None:
    assert text.duration(seconds) == words


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (0, "0 H/s"),
        (7.25, "7.25 H/s"),
        (999, "999 H/s"),
        (999.9, "1.00 kH/s"),
        (718_000, "718 kH/s"),
        (2e9, "2.00 GH/s"),
    ],
)
def test_rates_have_three_digits(rate: float, words: str) -> None:
    assert text.rate(rate) == words


@pytest.mark.parametrize(
    ("url", "disposition", "name"),
    [
        (f"{SITE}/a/report.pdf?x=1", None, "report.pdf"),
        (f"{SITE}/", None, "download"),
        (f"{SITE}/a", 'attachment; filename="b.png"', "b.png"),
        (f"{SITE}/a", "attachment; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
        (f"{SITE}/a", 'attachment; filename="/etc/passwd"', "passwd"),
        (f"{SITE}/a", 'attachment; filename="..\\\\..\\\\boot.ini"', "boot.ini"),
        (f"{SITE}/a", 'attachment; filename=".bashrc"', "bashrc"),
        (f"{SITE}/a", 'attachment; filename="nul.txt"', "_nul.txt"),
        (f"{SITE}/%2e%2e%2fx", None, "x"),
        (f"{SITE}/a", f'attachment; filename="{"x" * 300}.tar"', "x" * 116 + ".tar"),
    ],
)
def test_a_served_name_is_made_harmless(url: str, disposition: str | None, name: str) -> None:
    assert served_name(url, disposition) == name
