"""The catalogues: the same sentences in every language, with the right plurals, and the language a visitor asked for."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

import pytest
from babel import Locale
from flask import Flask, render_template_string
from hosts import MakeHost, gate
from markupsafe import Markup
from pasting import NAVIGATION
from werkzeug.test import TestResponse

import flask_ticketminer.assets as assets
from flask_ticketminer import TicketMiner
from flask_ticketminer.assets import languages
from flask_ticketminer.config import DEFAULT_CONSENT
from flask_ticketminer.errors import ConfigurationError
from flask_ticketminer.messages import Messages, messages

ROOT = pathlib.Path(__file__).parent.parent
FOLDER = ROOT / "miner/browser/messages"
TEMPLATES = ROOT / "flask_ticketminer/templates/ticketminer"
ENGLISH = {file.name: json.loads(file.read_text()) for file in (FOLDER / "en").glob("*.json")}
TRANSLATIONS = [(language, name) for language in languages() if language != "en" for name in sorted(ENGLISH)]
CATALOGUES = [("en", name) for name in sorted(ENGLISH)] + TRANSLATIONS


def catalogue(language: str, name: str) -> dict[str, t.Any]:
    def once(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
        assert len({key for key, _ in pairs}) == len(pairs), "a key stands there twice"
        return dict(pairs)

    return t.cast(
        "dict[str, t.Any]", json.loads((FOLDER / language / name).read_text(), object_pairs_hook=once)
    )


def values(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def forms(sentence: str | dict[str, str]) -> list[str]:
    return [sentence] if isinstance(sentence, str) else list(sentence.values())


def everyday(language: str) -> set[str]:
    """Return the plural categories of the numbers up to 200."""
    rule = Locale.parse(language).plural_form
    return {rule(n) for n in range(201)}


# The catalogues


@pytest.mark.parametrize("language", languages())
def test_every_language_has_the_same_files(language: str) -> None:
    assert {file.name for file in (FOLDER / language).iterdir()} == ENGLISH.keys()


@pytest.mark.parametrize(("language", "name"), TRANSLATIONS)
def test_every_language_has_the_same_sentences_with_the_same_values(language: str, name: str) -> None:
    translated = catalogue(language, name)
    assert translated.keys() == ENGLISH[name].keys()
    for key, sentence in ENGLISH[name].items():
        wanted = set().union(*map(values, forms(sentence)))
        assert isinstance(translated[key], dict) == isinstance(sentence, dict), key
        for form in forms(translated[key]):
            assert values(form) - {"n"} == wanted - {"n"}, key
            assert values(form) <= wanted, key


@pytest.mark.parametrize(("language", "name"), CATALOGUES)
def test_a_plural_has_the_categories_of_its_language(language: str, name: str) -> None:
    known = Locale.parse(language).plural_form.tags | {"other"}
    for key, sentence in catalogue(language, name).items():
        if isinstance(sentence, dict):
            assert everyday(language) | {"other"} <= sentence.keys() <= known, key
            if "{n}" in "".join(
                sentence.values()
            ):  # where a category is one number only, it may be written out
                assert all(
                    "{n}" in sentence[category] for category in sentence.keys() & {"few", "many", "other"}
                ), key


@pytest.mark.parametrize(("language", "name"), CATALOGUES)
def test_sentences_are_text(language: str, name: str) -> None:
    for key, sentence in catalogue(language, name).items():
        for form in forms(sentence):
            assert form == form.strip() != "", key
            assert not re.search(r"<|>|&\w+;|[\x00-\x1f]|'", form), key


def test_the_consent_text_is_the_one_whose_version_is_sent() -> None:
    assert ENGLISH["page.json"]["page.consent"] == DEFAULT_CONSENT


def test_templates_use_every_sentence_and_no_other() -> None:
    """A sentence that is composed of parts in a template is found by its beginning."""
    text = "".join(file.read_text() for file in TEMPLATES.glob("*.html"))
    named = set(re.findall(r'"(page\.[a-z.-]+)"', text))
    begun = {name for name in named if name.endswith(".")}
    sources = "".join(file.read_text() for file in (ROOT / "flask_ticketminer").rglob("*.py"))
    named |= set(re.findall(r'"(page\.[a-z.-]+)"', sources))
    keys = set(ENGLISH["page.json"])
    assert named - begun <= keys
    assert {key for key in keys - named if not key.startswith(tuple(begun))} == set()


def test_the_page_miner_knows_the_same_languages() -> None:
    source = (ROOT / "miner/browser/element/messages.js").read_text()
    (listed,) = re.findall(r"LANGUAGES = \[(.*?)\]", source)
    assert set(languages()) <= set(re.findall(r'"(\w+)"', listed))


# The function


@pytest.fixture
def german_and_arabic(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    """Catalogues for these tests: English, and a few sentences in two more languages."""
    sentences = {
        "en": ENGLISH["page.json"],
        "de": {
            "page.title": "Karten",
            "page.pay.button": {"one": "{n} Karte zahlen", "other": "{n} Karten zahlen"},
            "page.pay.heading": {"one": "Das kostet {n} Karte", "other": "Das kostet {n} Karten"},
            "page.consent": "Auf Deutsch.",
        },
        "ar": {"page.title": "تذاكر", "page.pay.for-a-time": "{duration}", "page.numbers.title": "{site}"},
    }
    for language, texts in sentences.items():
        folder = tmp_path / "catalogues/browser/messages" / language
        folder.mkdir(parents=True)
        (folder / "page.json").write_text(json.dumps(texts))
    (tmp_path / "catalogues/pow/wasm").mkdir(parents=True)
    real = assets.files
    folder = tmp_path / "catalogues"
    monkeypatch.setattr(assets, "files", lambda name: folder if name == "miner" else real(name))
    assets._read.cache_clear()
    yield
    assets._read.cache_clear()


@pytest.fixture
def app(make_host: MakeHost, german_and_arabic: None) -> Flask:
    app = make_host()
    gate(app, "/x", lambda: "x", price=2)
    return app


def said(app: Flask, lang: str) -> Messages:
    with app.test_request_context():
        return messages(lang)


def test_numbers_choose_the_form_and_are_written_as_the_language_does(app: Flask) -> None:
    assert said(app, "en")("page.pay.button", n=1) == "Pay 1 ticket"
    assert said(app, "en")("page.pay.button", n=1024) == "Pay 1,024 tickets"
    assert said(app, "de")("page.pay.button", n=1024) == "1.024 Karten zahlen"


def test_spanish_groups_digits_from_the_fifth_on(make_host: MakeHost) -> None:
    """As browsers write them, whose numbers stand on the same page."""
    spanish = said(make_host(), "es")
    assert [spanish.number(n) for n in (999, 8192, 10_000)] == ["999", "8192", "10.000"]


def test_durations_are_written_out(app: Flask) -> None:
    english, german = said(app, "en"), said(app, "de")
    assert [english.duration(n) for n in (1, 90, 3600, 7 * 86400)] == [
        "1 second",
        "90 seconds",
        "1 hour",
        "7 days",
    ]
    assert german.duration(7200) == "2 Stunden"


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("seconds", [1, 90, 7200, 120, 3 * 86400, 30 * 86400])
def test_every_language_has_a_word_for_every_unit(make_host: MakeHost, language: str, seconds: int) -> None:
    """Babel answers with its name for a unit, as in ``7 duration-day``, where a language lacks the word."""
    words = said(make_host(), language).duration(seconds)
    assert "duration" not in words
    assert words.strip("0123456789 \u00a0\u202f") != ""


def test_what_a_language_lacks_is_said_in_english(app: Flask) -> None:
    german = said(app, "de")
    assert (german("page.title"), german("page.skip")) == ("Karten", "Skip to the content")


def test_a_sentence_that_there_is_not_is_an_error(app: Flask) -> None:
    with pytest.raises(KeyError):
        said(app, "en")("page.nothing")
    with pytest.raises(KeyError):
        said(app, "en")("page.pay.button")


def test_values_are_escaped_unless_they_are_markup(app: Flask) -> None:
    english = said(app, "en")
    assert english("page.numbers.title", site="<b>") == "Tickets of &lt;b&gt; in numbers"
    assert english("page.numbers.title", site=Markup("<b>")) == "Tickets of <b> in numbers"
    assert english.plain("page.numbers.title", site="a<b'c") == "Tickets of a<b'c in numbers"


def test_names_keep_their_own_direction(app: Flask) -> None:
    arabic = said(app, "ar")
    assert arabic.direction == "rtl"
    assert arabic("page.numbers.title", site="shop.example") == "\u2068shop.example\u2069"


# Which language


def open_page(app: Flask, accepted: str | None = None) -> TestResponse:
    headers = {**NAVIGATION, **({"Accept-Language": accepted} if accepted else {})}
    reply = app.test_client().get("/x", headers=headers)
    assert reply.status_code == 402
    return reply


def language_of(reply: TestResponse) -> tuple[str, str]:
    match = re.search(r'<html lang="([^"]+)" dir="([^"]+)">', reply.text)
    assert match is not None
    return match[1], match[2]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "en"),
        ("de", "de"),
        ("de-CH,de;q=0.9,en;q=0.8", "de"),
        ("it,ar;q=0.5", "ar"),
        ("it", "en"),
        ("*", "en"),
        ("en;q=0.1,de;q=0.9", "de"),
        ("../../etc", "en"),
        (";;;q=x", "en"),
    ],
)
def test_a_page_is_in_the_language_that_the_browser_asks_for(
    app: Flask, accepted: str | None, language: str
) -> None:
    reply = open_page(app, accepted)
    assert language_of(reply) == (language, "rtl" if language == "ar" else "ltr")
    assert "Accept-Language" in reply.vary


def test_a_page_says_what_it_costs_in_that_language(app: Flask) -> None:
    page = open_page(app, "de").text
    assert "<h1>Das kostet 2 Karten</h1>" in page
    assert 'lang="de"' in page[page.index("<ticket-miner") :]


def test_a_fixed_language_is_the_same_for_everyone(make_host: MakeHost, german_and_arabic: None) -> None:
    app = make_host(TICKETMINER_LANGUAGE="de")
    gate(app, "/x", lambda: "x")
    reply = open_page(app, "ar")
    assert language_of(reply) == ("de", "ltr")
    assert "Accept-Language" not in reply.vary


def test_a_language_that_there_is_not_is_refused(make_host: MakeHost, german_and_arabic: None) -> None:
    with pytest.raises(ConfigurationError, match=r"TICKETMINER_LANGUAGE is 'tlh'.*\(en, ar, de\)"):
        make_host(TICKETMINER_LANGUAGE="tlh")


@pytest.mark.parametrize(
    ("chosen", "language"),
    [("de", "de"), ("de-AT", "de"), (Locale("de", "AT"), "de"), ("tlh", "ar"), (None, "ar"), ("", "ar")],
)
def test_a_function_of_the_host_chooses_for_each_request(
    make_host: MakeHost, german_and_arabic: None, chosen: str | Locale | None, language: str
) -> None:
    def setup(app: Flask) -> None:
        assert TicketMiner(app).language_selector(choose) is choose

    def choose() -> str | Locale | None:
        return chosen

    app = make_host(setup)
    gate(app, "/x", lambda: "x")
    assert language_of(open_page(app, "ar"))[0] == language
    dashboard = app.test_client().get("/ticketminer/dashboard")
    assert dashboard.headers["Cache-Control"] == "private, max-age=60"


def test_a_part_of_a_hosts_page_can_have_a_language_of_its_own(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "ar"}):
        shown = render_template_string(
            "{{ ticketminer_donate(lang='de') }}{{ ticketminer_widget(1, lang='de') }}"
        )
    assert set(re.findall(r' lang="(\w+)"', shown)) == {"de"}


def test_a_hosts_page_varies_by_the_language_of_what_is_on_it(app: Flask) -> None:
    for lang in ("", "lang='de'"):
        source = f"{{{{ ticketminer_donate({lang}) }}}}"
        app.add_url_rule(f"/{lang}", lang, lambda source=source: render_template_string(source))
    visitor = app.test_client()
    assert "Accept-Language" in visitor.get("/").vary
    assert "Accept-Language" not in visitor.get("/lang='de'").vary


def test_our_consent_text_is_translated_and_the_sites_own_is_not(
    make_host: MakeHost, german_and_arabic: None
) -> None:
    for config, text in (
        ({}, "Auf Deutsch."),
        ({"TICKETMINER_CONSENT_TEXT": "Ours & <only>."}, "Ours &amp; &lt;only&gt;."),
    ):
        app = make_host(**config)
        gate(app, "/x", lambda: "x")
        page = open_page(app, "de").text
        assert f'consent-text="{text}"' in page
        assert f'consent="{app.extensions["ticketminer"].settings.consent_version}"' in page


def test_details_of_a_refusal_are_marked_as_english(app: Flask) -> None:
    reply = app.test_client().get(
        "/ticketminer/donate?amount=0", headers={**NAVIGATION, "Accept-Language": "ar"}
    )
    assert language_of(reply) == ("ar", "rtl")
    assert re.search(r'<div lang="en" dir="ltr">\s*<h1>Not an amount</h1>', reply.text)
