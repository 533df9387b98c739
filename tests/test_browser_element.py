"""``<ticket-miner>`` with a core that plays (``browser_preview``): every state, before and after consent, on pages of all kinds."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsers import DESKTOP, Browser, Profile, Tab
from visits import Widget, said

from flask_ticketminer.lean import lean_json, lean_script, lean_sheet
from tests.browser_preview.serve import BROWSER, server, states

TYPES = (BROWSER / "types.d.ts").read_text()
STATES = states()
SHADOW = "document.querySelector('ticket-miner').shadowRoot"
BEFORE = {f"element/{name}.js" for name in ("element", "dom", "consent", "messages", "trouble")} | {
    "element/style.css",
    "messages/en/consent.json",
}
"""All that is loaded before somebody agrees."""
NARROW = (320, 700)
"""What has to do without scrolling sideways (WCAG 2.2, 1.4.10)."""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with server() as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


@pytest.fixture
def at(profile: Profile, base: str) -> Callable[..., Widget]:
    def visit(state: str, **more: str) -> Widget:
        query = "".join(f"&{name}={value}" for name, value in more.items())
        widget = Widget(profile.tab(f"{base}/?state={state}&nav=no{query}"))
        widget.tab.until(lambda: widget.text, "the widget")
        return widget

    return visit


def ready(tab: Tab) -> None:
    tab.wait_for("document.documentElement.dataset.ready")


# What there is to show


def union(name: str) -> set[str]:
    """Return the members of a union of strings in types.d.ts."""
    found = re.search(rf"export type {name} =(.*?);", re.sub(r"//.*", "", TYPES), re.DOTALL)
    assert found
    return set(re.findall(r'"([a-z-]+)"', found[1]))


def catalogue(*names: str) -> dict[str, object]:
    folder = BROWSER / "messages" / "en"
    return {
        key: text for name in names for key, text in json.loads((folder / f"{name}.json").read_text()).items()
    }


def test_every_phase_reason_notice_and_error_has_words() -> None:
    texts = catalogue("consent", "miner", "notices", "errors")
    errors = set(re.findall(r'code = "([a-z-]+)"', (BROWSER / "errors.js").read_text()))
    assert union("Phase") <= texts.keys()
    assert {f"reason.{reason}" for reason in union("PauseReason")} <= texts.keys()
    assert {f"notice.{code}" for code in union("NoticeCode")} <= texts.keys()
    assert {f"error.{code}" for code in errors - {"engine", "wallet", "wrong-words"}} <= texts.keys()


def test_every_text_that_the_element_names_exists() -> None:
    texts = catalogue("consent", "miner", "controls")
    named = set[str]()
    for script in (BROWSER / "element").glob("*.js"):
        named |= set(
            re.findall(r'(?:\bsay|\btext|\bbutton|\blink)\("([a-z-]+(?:\.[a-z-]+)*)"', script.read_text())
        )
    assert len(named) > 30
    assert named <= texts.keys()


def test_the_preview_has_every_phase_reason_and_notice() -> None:
    text = (Path(__file__).parent / "browser_preview" / "states.js").read_text()
    for name in union("Phase") | union("PauseReason") | union("NoticeCode"):
        assert f'"{name}"' in text or re.search(rf"\b{name}\b", text), name


# Before consent


def test_before_consent_only_the_question_is_loaded(at: Callable[..., Widget]) -> None:
    widget = at("ask")
    widget.see("ask.pay", n=3)
    loaded = widget.tab.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert {name.partition("/tree/ask/")[2] for name in loaded if "/tree/" in name} == BEFORE
    assert not [name for name in loaded if "/site/" in name]
    lean = {".js": lean_script, ".css": lean_sheet, ".json": lean_json}
    sizes = [len(lean[Path(name).suffix]((BROWSER / name).read_text()).encode()) for name in BEFORE]
    assert sum(sizes) <= 20_000
    assert not widget.shows("mining")
    assert "ticketminer pay" not in widget.text


def test_a_tag_alone_asks_the_site_what_it_offers(at: Callable[..., Widget]) -> None:
    widget = at("ask-tag-alone")
    widget.see("ask.pay.open")
    assert "4,096 hashes of yespower" in widget.text
    assert "Your device computes for this site" in widget.text


def test_no_stays_no_shows_the_other_ways_and_can_be_changed(at: Callable[..., Widget]) -> None:
    widget = at("ask")
    widget.press("decline")
    widget.see("declined")
    assert "ticketminer pay" in widget.text
    assert widget.tab.evaluate("localStorage.getItem('ticketminer:/site/ask/')") == "no 1"
    widget.press("reconsider")
    widget.see("ask.pay", n=3)


def test_an_answer_to_another_text_is_no_answer(at: Callable[..., Widget]) -> None:
    at("ask-old").see("ask.pay", n=3)


def test_who_agrees_to_a_changed_text_goes_on(at: Callable[..., Widget]) -> None:
    widget = at("ask-changed")
    widget.see("ask.changed")
    assert "Your device computes for this site" in widget.text
    widget.press("agree")
    widget.see("mining")
    assert widget.tab.evaluate("localStorage.getItem('ticketminer:/site/ask-changed/')") == "yes 1"


def test_a_language_without_messages_is_english(at: Callable[..., Widget]) -> None:
    widget = at("mining", lang="tlh")
    widget.see("mining")
    assert widget.tab.evaluate(f"{SHADOW}.querySelector('section').lang") == "en"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("blocked", "blocked"),
        ("blocked-core", "blocked"),
        ("updated", "updated"),
        ("unreachable", "unreachable"),
        ("offline", "offline"),
        ("worker", "worker"),
        ("dies", "stopped"),
    ],
)
def test_what_keeps_the_miner_away_is_told_apart(at: Callable[..., Widget], state: str, code: str) -> None:
    widget = at(state)
    widget.see(f"trouble.{code}")
    assert "ticketminer pay" in widget.text
    assert widget.tab.has("ticket-miner >>> button", "=" + said("reload"))


def test_without_its_words_the_page_keeps_its_own(profile: Profile, base: str) -> None:
    tab = profile.tab(f"{base}/?state=wordless&nav=no")
    tab.see("ticketminer pay", "ticket-miner")
    ready(tab)
    assert not tab.has("ticket-miner >>> button")


# After consent


def test_mining_pays_and_tells_the_page(at: Callable[..., Widget]) -> None:
    widget = at("ask")
    widget.tab.evaluate(
        "globalThis.told = [], ['state', 'ticket', 'paid'].forEach((name) => addEventListener(`ticketminer-${name}`,"
        " (event) => told.push([name, event.detail.phase ?? event.detail.amount, event.defaultPrevented])))"
    )
    widget.press("agree")
    widget.see("paid")
    told = [(name, what) for name, what, _ in widget.tab.evaluate("told")]
    assert ("state", "mining") in told
    assert told.count(("ticket", 1)) == 3
    assert told[-1] == ("paid", 3)
    assert widget.tab.evaluate("told.at(-1)[2]"), "the preview prevents it, and so the page stays"
    assert widget.tab.url.endswith("/?state=ask&nav=no")
    assert widget.tab.evaluate(f"{SHADOW}.querySelector('.actions a').href").endswith("/report")


def test_paying_leads_on_and_only_within_the_site(at: Callable[..., Widget]) -> None:
    widget = at("enough", leave="yes")
    widget.press("act.pay", n=3)
    widget.tab.until(lambda: widget.tab.url.endswith("/report"), "the report")
    away = at("paid-away", leave="yes")
    away.press("act.pay", n=3)
    away.see("paid")
    assert "elsewhere.example" not in away.tab.evaluate(f"{SHADOW}.querySelector('.actions a').href")


def test_figures_change_at_most_once_a_second_and_are_not_spoken(at: Callable[..., Widget]) -> None:
    widget = at("ticking")
    widget.see("mining")
    widget.tab.evaluate(
        f"globalThis.seen = {{ text: 0, live: 0 }}, new MutationObserver(() => seen.text++).observe({SHADOW}.querySelector('dl'),"
        f" {{ subtree: true, childList: true, characterData: true }}), new MutationObserver(() => seen.live++).observe("
        f"{SHADOW}.querySelector('[role=status]'), {{ subtree: true, childList: true, characterData: true }})"
    )
    seen = widget.tab.evaluate("new Promise((done) => setTimeout(() => done(seen), 3500))")
    assert 2 <= seen["text"] <= 4
    assert seen["live"] == 0


def test_the_question_is_answered_from_the_keyboard(at: Callable[..., Widget]) -> None:
    assert at("ask").tab.focus_order()[:5] == [
        f'button "{said("agree")}"',
        f'button "{said("decline")}"',
        f'button "{said("have")}"',
        f'link "{said("about")}"',
        f'link "{said("wallet")}"',
    ]


def focus_comes(tab: Tab, key: str) -> None:
    """Wait until the button with this message has the focus: a key that comes before it would press another."""
    tab.until(lambda: tab.focused() == f'button "{said(key)}"', f"the focus on {key}")


def test_focus_stays_in_the_element_whatever_is_shown(at: Callable[..., Widget]) -> None:
    widget = at("ask-endless")
    widget.see("ask.pay", n=3)
    tab = widget.tab
    tab.press("Tab")
    assert tab.focused() == f'button "{said("agree")}"'
    tab.press("Enter")
    widget.see("mining")
    assert said("mining") in tab.focused()
    tab.press("Tab")
    focus_comes(tab, "act.pause")
    tab.press("Enter")
    widget.see("reason.user")
    focus_comes(tab, "act.resume")
    tab.press("Enter")
    widget.see("mining")
    focus_comes(tab, "act.pause")
    tab.press("Tab")
    focus_comes(tab, "act.stop")
    tab.press("Enter")
    widget.see("idle")
    assert said("idle") in tab.focused()


def test_the_status_says_why_it_rests(at: Callable[..., Widget]) -> None:
    status = f"{SHADOW}.querySelector('[role=status]').textContent"
    for state, words in (("paused-battery", "reason.battery"), ("paid", "paid"), ("enough", "enough.pay")):
        widget = at(state)
        widget.tab.wait_for(f"{status} !== ''")
        assert said(words, n=5) in widget.tab.evaluate(status)


def test_beside_a_tab_that_mines_another_can_queue(at: Callable[..., Widget]) -> None:
    observing, waiting = at("observing"), at("observing-waiting")
    observing.see("act.start")
    assert not observing.shows("act.stop")
    waiting.see("reason.elsewhere")
    waiting.see("act.stop")
    assert not waiting.shows("act.start")


def test_sliders_are_labelled_and_steer(at: Callable[..., Widget]) -> None:
    widget = at("mining-details")
    ready(widget.tab)
    widget.see("duty")
    widget.tab.fill("ticket-miner >>> input[type=range]", "80", said("duty"))
    widget.tab.see("80%", "ticket-miner >>> output")
    widget.see("supply.true")
    unknown = at("mining-unknown")
    ready(unknown.tab)
    unknown.tab.until(
        lambda: unknown.text.count(said("not-told")) == 3, "three things that this browser does not tell"
    )


@pytest.mark.parametrize(
    ("state", "key", "others", "again"),
    [
        ("no-connection", "error.site-unreachable", False, "act.retry"),
        ("storage-refused", "error.storage-refused", True, "act.retry"),
        ("no-kernel", "error.no-kernel", True, "act.retry"),
        ("price-changed", "error.price-changed", False, "act.again"),
        ("keys-changed", "error.key-mismatch", False, None),
    ],
)
def test_what_did_not_work_has_a_reason_and_a_next_step(
    at: Callable[..., Widget], state: str, key: str, others: bool, again: str | None
) -> None:
    widget = at(state)
    widget.see(key, n=5)
    assert ("ticketminer pay" in widget.text) == others
    assert [said(name) for name in ("act.retry", "act.again") if widget.shows(name)] == (
        [said(again)] if again else []
    )


def test_a_problem_without_words_speaks_for_itself(at: Callable[..., Widget]) -> None:
    widget = at("unknown-problem")
    widget.tab.see("Something that this version has no words for.", "ticket-miner")
    widget.press("act.retry")
    widget.see("idle")


def test_one_core_for_all_elements_of_a_page(at: Callable[..., Widget]) -> None:
    widget = at("busy")
    widget.see("busy")
    widget.press("act.instead")
    widget.see("act.pause")
    assert (
        widget.tab.evaluate(
            "performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/panel.js')).length"
        )
        == 1
    )


def test_consent_taken_back_ends_it_for_every_element(at: Callable[..., Widget]) -> None:
    widget = at("busy")
    ready(widget.tab)
    widget.see("busy")
    widget.press("withdraw")
    widget.see("declined")
    assert (
        widget.tab.evaluate(
            "[...document.querySelectorAll('ticket-miner')].map((e) => e.shadowRoot.querySelector('h2').textContent)"
        )
        == [said("declined")] * 2
    )


def test_a_page_that_changes_everything_does_not_break_it(at: Callable[..., Widget]) -> None:
    widget = at("ask", host="hostile")
    widget.see("ask.pay", n=3)
    look = widget.tab.evaluate(
        f"(({{ color, fontSize, letterSpacing }}) => [color, fontSize, letterSpacing])(getComputedStyle({SHADOW}.querySelector('p')))"
    )
    assert look == ["rgb(29, 36, 33)", "16px", "normal"]
    widget.press("agree")
    widget.see("paid")
    assert widget.tab.errors() == []


def test_it_reads_from_right_to_left(at: Callable[..., Widget]) -> None:
    widget = at("mining", dir="rtl")
    widget.see("mining")
    stub, body = (
        widget.tab.evaluate(f"{SHADOW}.querySelector('{name}').getBoundingClientRect().left")
        for name in (".stub", ".body")
    )
    assert stub < body


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_in_any_state(chromium: Browser, base: str, dark: bool) -> None:
    found = []
    size = NARROW if dark else DESKTOP
    with chromium.profile(dark=dark, size=size) as profile:
        tab = profile.tab()
        for state in STATES:
            tab.goto(f"{base}/?state={state}&nav=no")
            ready(tab)
            tab.until(lambda: tab.text("ticket-miner"), state)
            found += [f"{state}: {line}" for line in tab.axe()]
            if tab.evaluate("document.documentElement.scrollWidth") > size[0]:
                found.append(f"{state}: is wider than the window")
    assert found == []
