"""What our pages say, in the visitor's language: ``messages/<language>/page.json`` of the page miner, numbers and plurals by CLDR."""

from __future__ import annotations

import functools
import json
import re
import typing as t
from dataclasses import dataclass, field

from babel import Locale
from babel.numbers import format_decimal
from babel.units import format_unit
from flask import has_request_context, request
from markupsafe import Markup, escape
from werkzeug.datastructures import LanguageAccept

from flask_ticketminer.assets import FALLBACK, Assets, current_assets
from flask_ticketminer.site import current_site

Sentence = str | dict[str, str]
"""A text with ``{name}`` for values, or one for each plural category of the value ``n``."""

_VALUE = re.compile(r"\{(\w+)\}")
_FILE = re.compile(r"messages/([^/]+)/page\.json")
_ISOLATE = "\u2068{}\u2069"
"""Keeps a path or a name from reordering the words of a right-to-left language around it."""
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_SPARING = frozenset({"es"})
"""Languages that group digits from the fifth on: ``minimumGroupingDigits`` of CLDR, which Babel leaves out."""
_VARIES = "ticketminer.accept-language"


@dataclass(frozen=True, slots=True)
class Messages:
    """The sentences of one language; called with a key and values, it returns text that is safe in HTML.

    :ivar language: BCP 47 tag.
    """

    language: str
    _sentences: t.Mapping[str, Sentence] = field(repr=False)

    def __call__(self, key: str, /, **values: object) -> Markup:
        """Return the sentence called `key`; where this language lacks it, the English one.

        :param values: fill ``{name}``: integers as the language writes them, :class:`~markupsafe.Markup` as it stands, text
            escaped. ``n`` also chooses among plural forms.
        :raises KeyError: there is no such sentence, or a value for it is missing.
        """
        sentence = self._sentences[key]
        if isinstance(sentence, dict):
            category = self.locale.plural_form(t.cast("int", values["n"]))
            sentence = sentence.get(category, sentence["other"])
        text = str(escape(sentence))
        return Markup(_VALUE.sub(lambda name: self._shown(values[name[1]]), text))  # noqa: S704 - escaped

    def plain(self, key: str, /, **values: object) -> str:
        """Return the same as plain text, for what is no HTML."""
        return self(key, **values).unescape()

    @property
    def locale(self) -> Locale:
        return Locale.parse(self.language, sep="-")

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``, as the attribute ``dir`` wants it."""
        return self.locale.text_direction

    def number(self, number: int) -> str:
        """Return `number` as this language writes it."""
        grouped = self.locale.language not in _SPARING or abs(number) >= 10_000
        return format_decimal(number, locale=self.locale, numbering_system="default", group_separator=grouped)

    def duration(self, seconds: int) -> str:
        """Return `seconds` in the largest unit that divides it."""
        size, unit = next(entry for entry in _UNITS if seconds % entry[0] == 0)
        count = seconds // size
        if unit == "day":  # Babel has no days in Arabic and many more languages
            return self.plain("page.days", n=count)
        return format_unit(count, f"duration-{unit}", locale=self.locale, numbering_system="default")

    def _shown(self, value: object) -> str:
        if isinstance(value, Markup):
            return str(value)
        if isinstance(value, int):
            return str(escape(self.number(value)))
        return str(escape(_ISOLATE.format(value) if self.direction == "rtl" else value))


def messages(lang: str | None = None) -> Messages:
    """Return the sentences for the current request.

    :param lang: the language to use if there is one like it; else the host's selector decides, ``TICKETMINER_LANGUAGE``, what
        the visitor's browser asks for, or English.
    """
    assets = current_assets()
    language = _choose(_languages(assets), lang)
    return Messages(language, _sentences(assets, language))


def depends_on_browser() -> bool:
    """Return whether anything in the current answer was written in the language that the visitor's browser asked for."""
    return bool(request.environ.get(_VARIES))


def consent_text(said: Messages) -> str:
    """Return what visitors agree to: the site's own text as it is, ours in their language."""
    settings = current_site().settings
    return said.plain("page.consent") if settings.usual_consent else settings.consent_text


def _choose(known: tuple[str, ...], lang: str | None) -> str:
    site = current_site()
    callback = site.extension.language_callback if has_request_context() else None
    for wanted in (lang, callback() if callback and not lang else None, site.settings.language):
        found = None if wanted is None else LanguageAccept([(str(wanted), 1)]).best_match(known)
        if found is not None:
            return found
    if not has_request_context():
        return FALLBACK
    request.environ[_VARIES] = True
    return request.accept_languages.best_match(known, FALLBACK)


@functools.lru_cache(2)
def _languages(assets: Assets) -> tuple[str, ...]:
    found = {match[1] for name in assets.files if (match := _FILE.fullmatch(name))}
    return FALLBACK, *sorted(found - {FALLBACK})


@functools.lru_cache(64)
def _sentences(assets: Assets, language: str) -> t.Mapping[str, Sentence]:
    """Return all sentences in `language`, English where it lacks one."""
    found: dict[str, Sentence] = {} if language == FALLBACK else dict(_sentences(assets, FALLBACK))
    found.update(json.loads(assets.files[f"messages/{language}/page.json"].data))
    return found
