"""What a coin costs: from a table, from a service that answers in JSON, or from an object of the site's own. Nothing is scraped.

Amounts are Decimal from the first byte on. A price that is not known is left out, and no source's failure stops work.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import typing as t
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote

import httpx

from flask_ticketminer.work.stratum.messages import printable

log = logging.getLogger(__name__)

KEEP, TIMEOUT, LIMIT = 300, 10, 24 * 3600
"""Seconds: for which an answer is not asked for again, to wait for one, and after which the last known price is none."""
RETRY = 60
"""Seconds after which a service that failed is asked again, where answers are kept longer."""
MAX_ANSWER = 1 << 20
"""Bytes."""
LEAST, MOST, MAX_DIGITS = Decimal("1e-18"), Decimal("1e18"), 50

_SYMBOL = re.compile(r"[A-Za-z0-9]{1,12}")
_AMOUNT = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")
_BLANK = re.compile(r"\{(symbols|symbol|currency)\}")
_MEMBERS = ("url", "path", "currency", "names", "headers", "keep", "timeout", "limit")


@dataclass(frozen=True, slots=True)
class Price:
    """What one coin costs, and how many seconds ago that was learned."""

    amount: Decimal
    age: int = 0


class PriceSource(t.Protocol):
    """Whatever tells prices, all in one currency; ``TICKETMINER_PRICES`` may be an object like this."""

    async def prices(self, symbols: Collection[str]) -> Mapping[str, Price]:
        """Return the prices that are known, by symbol."""
        ...


class FixedPrices:
    """Prices as they stand in a table, ``{"LTC": "85.12"}``.

    :raises ValueError: one is no amount.
    """

    def __init__(self, table: Mapping[str, str | int | Decimal]) -> None:
        self._table = {}
        for symbol, given in table.items():
            amount = read_amount(given)
            if not isinstance(symbol, str) or not _SYMBOL.fullmatch(symbol) or amount is None:
                raise ValueError(
                    f"A price is an amount from {LEAST} to {MOST} as text, under the symbol of its coin: {{'LTC': '85.12'}}."
                )
            self._table[symbol] = Price(amount)

    def __repr__(self) -> str:
        return f"<FixedPrices of {', '.join(self._table) or 'nothing'}>"

    async def prices(self, symbols: Collection[str]) -> Mapping[str, Price]:
        return {symbol: self._table[symbol] for symbol in symbols if symbol in self._table}


class JsonPrices:
    """Prices from a service that answers GET requests in JSON, with a number or a text such as ``"85.12"`` at the end of a path.

    :param url: ``{symbols}`` in it stands for all symbols with commas between, and one request is made; ``{symbol}`` for one, and
        a request is made for each; ``{currency}`` for the currency.
    :param path: keys (text) and places in lists (from 0) that lead to the number; ``{symbol}`` and ``{currency}`` stand as in the URL.
    :param currency: as the service writes it.
    :param names: what the service calls a symbol, ``{"LTC": "litecoin"}``; others are called as they are.
    :param headers: sent along, for services with a key.
    :param keep: seconds for which an answer is kept.
    :param timeout: seconds for all requests of one round.
    :param limit: seconds after which the last known price is none.
    :param monotonic: seconds that only move forward.
    :raises ValueError: one of them cannot work.
    """

    def __init__(
        self,
        url: str,
        *,
        path: Sequence[str | int] = ("{symbol}",),
        currency: str = "",
        names: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        keep: int = KEEP,
        timeout: int = TIMEOUT,
        limit: int = LIMIT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(path, list | tuple) or not all(type(step) in (str, int) for step in path):
            raise ValueError("The path to a price is a list of keys and places: ['{symbol}', 'eur'].")
        if not isinstance(currency, str) or not re.fullmatch(r"[A-Za-z0-9]{0,12}", currency):
            raise ValueError("The currency of prices is at most 12 letters and digits, such as 'eur'.")
        for seconds, most in ((keep, 86400), (timeout, 300), (limit, 31 * 86400)):
            if type(seconds) is not int or not 1 <= seconds <= most:
                raise ValueError(
                    "Prices are kept for 1 to 86400 seconds (keep), waited for 1 to 300 (timeout) and used for 1 to 2678400 (limit)."
                )
        self._path, self._currency = tuple(path), currency
        self._names = _words(names, "The names of coins at a price service", "{'LTC': 'litecoin'}")
        self._headers = _words(headers, "The headers for a price service", "{'X-Key': '…'}")
        self._url = _template(url)
        self._keep, self._timeout, self._limit = keep, timeout, limit
        self._monotonic = monotonic
        self._known: dict[str, tuple[Decimal, float]] = {}
        self._next: dict[str, float] = {}
        self._one_at_a_time = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<JsonPrices of {self._host}>"

    @property
    def _host(self) -> str:
        return httpx.URL(_BLANK.sub("x", self._url)).host

    async def prices(self, symbols: Collection[str]) -> Mapping[str, Price]:
        async with self._one_at_a_time:
            due = [each for each in symbols if self._next.get(each, self._monotonic()) <= self._monotonic()]
            if due:
                await self._ask(due)
        now = self._monotonic()
        ages = {each: now - self._known[each][1] for each in symbols if each in self._known}
        return {
            each: Price(self._known[each][0], int(age)) for each, age in ages.items() if age < self._limit
        }

    async def _ask(self, symbols: list[str]) -> None:
        rounds = [[each] for each in symbols] if "{symbol}" in self._url else [symbols]
        for symbol in symbols:
            self._next[symbol] = self._monotonic() + min(self._keep, RETRY)
        try:
            async with asyncio.timeout(self._timeout), httpx.AsyncClient(timeout=self._timeout) as http:
                for together in rounds:
                    await self._read(http, together)
        except TimeoutError:
            self._failed("it does not answer in time")

    async def _read(self, http: httpx.AsyncClient, symbols: list[str]) -> None:
        try:
            document = await self._document(http, self._filled(symbols))
        except httpx.InvalidURL:
            return self._failed("its URL is not one with these symbols")
        except (httpx.HTTPError, ValueError) as error:
            return self._failed(printable(error) or type(error).__name__)
        for symbol in symbols:
            amount = read_amount(self._found(document, symbol))
            if amount is None:
                self._failed(f"there is no amount for {symbol} at the end of the path")
            else:
                self._known[symbol] = amount, self._monotonic()
                self._next[symbol] = self._monotonic() + self._keep
        return None

    async def _document(self, http: httpx.AsyncClient, url: str) -> t.Any:
        """Return what the service answers.

        :raises ValueError: it is too large, no JSON, or no answer that was asked for.
        """
        text = bytearray()
        # Compressed, a small answer could be a large one; it is read as it comes.
        headers = {**self._headers, "Accept": "application/json", "Accept-Encoding": "identity"}
        async with http.stream("GET", url, headers=headers) as reply:
            if reply.status_code != 200:
                raise ValueError(f"it answers {reply.status_code}")
            async for piece in reply.aiter_raw():
                text += piece
                if len(text) > MAX_ANSWER:
                    raise ValueError(f"its answer is larger than {MAX_ANSWER} bytes")
        try:
            return json.loads(bytes(text), parse_float=Decimal, parse_constant=_no_number)
        except (ValueError, ArithmeticError, RecursionError):
            raise ValueError("its answer is no JSON") from None

    def _filled(self, symbols: list[str]) -> str:
        names = [quote(self._names.get(symbol, symbol), safe="") for symbol in symbols]
        words = {"symbols": ",".join(names), "symbol": names[0], "currency": self._currency}
        return _BLANK.sub(lambda blank: words[blank[1]], self._url)

    def _found(self, document: t.Any, symbol: str) -> t.Any:
        words = {"symbol": self._names.get(symbol, symbol), "symbols": symbol, "currency": self._currency}
        for step in self._path:
            if isinstance(step, int):
                document = (
                    document[step] if isinstance(document, list) and 0 <= step < len(document) else None
                )
            else:
                key = _BLANK.sub(lambda blank: words[blank[1]], step)
                document = document.get(key) if isinstance(document, dict) else None
        return document

    def _failed(self, reason: str) -> None:
        log.warning("The price service at %s: %s. The last known prices are used.", self._host, reason)


async def current_prices(source: PriceSource, symbols: Collection[str]) -> dict[str, Price]:
    """Return the usable prices of `source`; none where it fails, which is logged."""
    try:
        found = await source.prices(tuple(symbols))
        known = {symbol: found[symbol] for symbol in symbols if symbol in found}
        for symbol, price in known.items():
            if not isinstance(price.amount, Decimal) or read_amount(price.amount) is None:
                raise ValueError(f"The amount of {symbol} must be a Decimal from {LEAST} to {MOST}.")
        return known
    except Exception:
        log.exception("The prices of coins could not be read.")
        return {}


def read_prices(given: object) -> PriceSource:
    """Return the source that ``TICKETMINER_PRICES`` describes; of None one that knows no price.

    :raises ValueError: it describes none; the sentence says what is accepted, never what was given.
    """
    if given is None:
        return FixedPrices({})
    if isinstance(given, dict) and "url" in given:
        if not all(key in _MEMBERS for key in given):
            raise ValueError(f"A price service is described by {', '.join(_MEMBERS)}.")
        return JsonPrices(**given)
    if isinstance(given, dict):
        return FixedPrices(given)
    if callable(getattr(given, "prices", None)):
        return t.cast("PriceSource", given)
    raise ValueError(
        "Prices are a table such as {'LTC': '85.12'}, a service such as {'url': 'https://…', 'path': [...]}, or an object with "
        "an async method prices(symbols)."
    )


def read_amount(given: object) -> Decimal | None:
    """Return what is an amount (text, a whole number, a Decimal), as Decimal; None of everything else."""
    if isinstance(given, str):
        amount = Decimal(given) if _AMOUNT.fullmatch(given) else None
    elif isinstance(given, Decimal):
        amount = given if given.is_finite() else None
    elif type(given) is int:
        amount = Decimal(given)
    else:
        amount = None
    if amount is None or not LEAST <= amount <= MOST or len(amount.as_tuple().digits) > MAX_DIGITS:
        return None
    return amount


def _words(given: object, what: str, example: str) -> dict[str, str]:
    words = {} if given is None else given
    if not isinstance(words, dict) or not all(
        isinstance(word, str) and word.isascii() and word.isprintable() and word.strip() == word != ""
        for pair in words.items()
        for word in pair
    ):
        raise ValueError(f"{what} are a dictionary of ASCII texts: {example}.")
    return dict(words)


def _template(url: object) -> str:
    """Return `url` when it is one of the web once its blanks are filled.

    :raises ValueError: it is not.
    """
    if isinstance(url, str) and len(url) <= 2048:
        try:
            parsed = httpx.URL(_BLANK.sub("x", url))
        except (httpx.InvalidURL, ValueError):
            parsed = httpx.URL("")
        if parsed.scheme in ("http", "https") and parsed.host:
            return url
    raise ValueError(
        "The URL of a price service is 'https://…', with '{symbols}' for all coins or '{symbol}' for each, and '{currency}'."
    )


def _no_number(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is no JSON")
