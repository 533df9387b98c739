"""Prices of coins: from a table, and from a service on loopback that answers whatever a test tells it."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import json
import logging
import threading
import time
import typing as t
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_ticketminer.cli import bridge
from flask_ticketminer.work.prices import (
    MAX_ANSWER,
    FixedPrices,
    JsonPrices,
    Price,
    PriceSource,
    current_prices,
    read_prices,
)

PATH = ["{symbol}", "eur"]


class Service(http.server.ThreadingHTTPServer):
    """Answers each request with `status` and `body`, or with what `bodies` has for its path, and keeps what it was asked."""

    daemon_threads = True
    status: int = 200
    body: bytes = b"{}"
    headers: t.Mapping[str, str] = {}

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.heard: list[dict[str, str]] = []
        self.bodies: dict[str, bytes] = {}
        self.drip = threading.Event()
        self.drip.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def says(self, document: object) -> None:
        self.body = json.dumps(document).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        service = self.server
        service.asked.append(self.path)
        service.heard.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(service.status)
        for name, value in service.headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            while not service.drip.is_set():
                self.wfile.write(b" ")
                time.sleep(0.05)
            self.wfile.write(service.bodies.get(self.path, service.body))
        except OSError:  # hung up on
            return

    def log_message(self, format: str, *args: object) -> None:
        pass


class Stopwatch:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.drip.set()
        found.shutdown()
        thread.join()


@pytest.fixture
def clock() -> Stopwatch:
    return Stopwatch()


def ask(source: PriceSource, *symbols: str) -> dict[str, Price]:
    return dict(asyncio.run(source.prices(symbols or ("LTC",))))


def of(service: Service, clock: Stopwatch, **members: t.Any) -> JsonPrices:
    return JsonPrices(f"{service.url}/v1", **{"path": PATH, "currency": "eur", "monotonic": clock, **members})


def test_a_table_knows_what_stands_in_it() -> None:
    prices = ask(FixedPrices({"LTC": "85.12", "BTC": 100_000}), "LTC", "BTC", "DOGE")
    assert prices == {"LTC": Price(Decimal("85.12")), "BTC": Price(Decimal(100_000))}


@pytest.mark.parametrize(
    "amount", [85.12, "85,12", "-1", "0", "1e19", "NaN", "", " 1", "1_000", "١", True, None, Decimal("sNaN")]
)
def test_what_is_no_price(amount: t.Any) -> None:
    with pytest.raises(ValueError, match="A price is an amount"):
        FixedPrices({"LTC": amount})


def test_all_symbols_are_asked_for_at_once_under_the_services_names(service: Service) -> None:
    service.says({"litecoin": {"eur": 85.12}, "b/c": {"eur": "3"}})
    source = JsonPrices(
        service.url + "/simple?ids={symbols}&in={currency}",
        path=["{symbol}", "{currency}"],
        currency="eur",
        names={"LTC": "litecoin", "BC": "b/c"},
        headers={"X-Key": "k"},
    )
    assert {symbol: price.amount for symbol, price in ask(source, "LTC", "BC").items()} == {
        "LTC": Decimal("85.12"),
        "BC": Decimal(3),
    }
    assert service.asked == ["/simple?ids=litecoin,b%2Fc&in=eur"]
    assert service.heard[0]["x-key"] == "k"


def test_each_symbol_is_asked_for_by_itself_where_the_url_says_so(service: Service) -> None:
    service.bodies = {"/LTC": b'{"last": ["1", "85.12"]}', "/BTC": b'{"last": null}'}
    source = JsonPrices(service.url + "/{symbol}", path=["last", 1])
    assert ask(source, "LTC", "BTC") == {"LTC": Price(Decimal("85.12"))}


@pytest.mark.parametrize("text", ["0.1", '"0.1"', "0.10000000000000000555", "12", "1e3", "3E-7"])
def test_an_amount_is_exactly_what_the_service_wrote(service: Service, clock: Stopwatch, text: str) -> None:
    service.body = b'{"LTC": {"eur": %s}}' % text.encode()
    amount = ask(of(service, clock))["LTC"].amount
    assert isinstance(amount, Decimal)
    assert str(amount) == str(Decimal(text.strip('"')))


def test_an_answer_is_kept_for_five_minutes(service: Service, clock: Stopwatch) -> None:
    service.says({"LTC": {"eur": 1}})
    source = of(service, clock)
    ask(source)
    service.says({"LTC": {"eur": 2}})
    clock.time += 299
    assert ask(source) == {"LTC": Price(Decimal(1), 299)}
    clock.time += 1
    assert ask(source) == {"LTC": Price(Decimal(2), 0)}
    assert len(service.asked) == 2


def test_a_symbol_that_is_new_is_asked_for_alone(service: Service, clock: Stopwatch) -> None:
    service.says({"LTC": {"eur": 1}, "BTC": {"eur": 2}})
    source = JsonPrices(service.url + "/{symbols}", path=PATH, monotonic=clock)
    ask(source, "LTC")
    assert set(ask(source, "LTC", "BTC")) == {"LTC", "BTC"}
    assert service.asked == ["/LTC", "/BTC"]


FAULTS: dict[str, dict[str, t.Any]] = {
    "an error": {"status": 500},
    "a redirect": {"status": 302, "headers": {"Location": "/elsewhere"}},
    "nothing": {"body": b""},
    "half": {"body": b'{"LTC": {"eur": 8'},
    "no JSON": {"body": b"<html>"},
    "no text": {"body": b"\xff\xfe\xfd"},
    "NaN": {"body": b'{"LTC": {"eur": NaN}}'},
    "too large a number for Decimal": {"body": b'{"LTC": {"eur": 1e99999999999999999999}}'},
    "too large a price": {"body": b'{"LTC": {"eur": 1e999999}}'},
    "more digits than a price has": {"body": b'{"LTC": {"eur": 1.' + b"3" * 1000 + b"}}"},
    "a long whole number": {"body": b'{"LTC": {"eur": ' + b"9" * 5000 + b"}}"},
    "less than nothing": {"body": b'{"LTC": {"eur": -1}}'},
    "true": {"body": b'{"LTC": {"eur": true}}'},
    "a list": {"body": b'[{"eur": 1}]'},
    "a deep one": {"body": b"[" * 100_000},
    "another symbol": {"body": b'{"BTC": {"eur": 1}}'},
    "too much": {"body": b" " * (MAX_ANSWER + 1)},
    "compressed, which was not asked for": {
        "body": gzip.compress(b'{"LTC": {"eur": 2}}'),
        "headers": {"Content-Encoding": "gzip"},
    },
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_last_known_price_outlives_a_fault(service: Service, clock: Stopwatch, fault: str) -> None:
    service.says({"LTC": {"eur": "85.12"}})
    source = of(service, clock)
    ask(source)
    clock.time += 1000
    for name, value in FAULTS[fault].items():
        setattr(service, name, value)
    assert ask(source) == {"LTC": Price(Decimal("85.12"), 1000)}
    assert service.asked == ["/v1", "/v1"]


def test_a_service_that_is_gone_is_outlived_too(clock: Stopwatch) -> None:
    with Service() as gone:
        url = gone.url
    assert ask(JsonPrices(url, monotonic=clock)) == {}


def test_a_service_that_drips_is_left(service: Service, clock: Stopwatch) -> None:
    service.drip.clear()
    assert ask(of(service, clock, timeout=1)) == {}


def test_after_a_day_the_last_known_price_is_none(service: Service, clock: Stopwatch) -> None:
    service.says({"LTC": {"eur": 1}})
    source = of(service, clock)
    ask(source)
    service.status = 500
    clock.time += 86_399
    assert ask(source) == {"LTC": Price(Decimal(1), 86_399)}
    clock.time += 1
    assert ask(source) == {}


def test_a_service_that_failed_is_asked_again_after_a_minute(service: Service, clock: Stopwatch) -> None:
    service.status = 500
    source = of(service, clock)
    ask(source)
    clock.time += 59
    ask(source)
    assert len(service.asked) == 1
    clock.time += 1
    ask(source)
    assert len(service.asked) == 2


def test_many_who_ask_at_once_make_one_request(service: Service, clock: Stopwatch) -> None:
    service.says({"LTC": {"eur": 1}})
    source = of(service, clock)

    async def all_at_once() -> None:
        await asyncio.gather(*(source.prices(["LTC"]) for _ in range(20)))

    asyncio.run(all_at_once())
    assert len(service.asked) == 1


def test_a_fault_is_told_without_the_key(
    service: Service, clock: Stopwatch, caplog: pytest.LogCaptureFixture
) -> None:
    service.status = 403
    source = JsonPrices(service.url + "/?key=very-secret", headers={"X-Key": "very-secret"}, monotonic=clock)
    with caplog.at_level(logging.WARNING):
        ask(source)
    assert "127.0.0.1: it answers 403. The last known prices are used." in caplog.text
    assert "very-secret" not in caplog.text + repr(source)


def test_an_application_that_logs_all_it_does_logs_no_key_in_the_bridge(
    service: Service, clock: Stopwatch, caplog: pytest.LogCaptureFixture
) -> None:
    loggers = [logging.getLogger(name) for name in ("httpx", "flask_ticketminer")]
    levels = [logger.level for logger in loggers]
    caplog.set_level(logging.INFO)
    try:
        bridge._log(logging.INFO)
        service.says({"LTC": "1"})
        assert ask(JsonPrices(service.url + "/?key=very-secret", monotonic=clock), "LTC")
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    assert "very-secret" not in caplog.text


class Own:
    """A source of a site's own."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    async def prices(self, symbols: t.Collection[str]) -> t.Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def test_a_site_may_have_a_source_of_its_own() -> None:
    source = read_prices(Own({"LTC": Price(Decimal(7), 3), "BTC": Price(Decimal(8))}))
    assert asyncio.run(current_prices(source, ["LTC"])) == {"LTC": Price(Decimal(7), 3)}


@pytest.mark.parametrize(
    "answer",
    [
        RuntimeError("no"),
        None,
        {"LTC": Price(Decimal("NaN"))},
        {"LTC": 7},
        {"LTC": Price(t.cast("Decimal", 7.5))},
    ],
)
def test_a_source_that_fails_knows_no_price(answer: object, caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(current_prices(read_prices(Own(answer)), ["LTC"])) == {}
    assert "The prices of coins could not be read." in caplog.text


def test_the_setting_is_a_table_a_service_or_nothing() -> None:
    assert ask(read_prices({"LTC": "1"})) == {"LTC": Price(Decimal(1))}
    assert isinstance(read_prices({"url": "https://prices.example/{symbols}", "path": PATH}), JsonPrices)
    assert ask(read_prices(None)) == {}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("https://prices.example", "Prices are a table"),
        ({"LTC": 85.12}, "A price is an amount"),
        ({"L/C": "1"}, "A price is an amount"),
        ({"url": "ftp://prices.example"}, "The URL of a price service"),
        ({"url": "https://"}, "The URL of a price service"),
        ({"url": "https://h\n"}, "The URL of a price service"),
        ({"url": None}, "The URL of a price service"),
        ({"url": "https://h", "key": "x"}, "is described by url, path"),
        ({"url": "https://h", "path": "eur"}, "The path to a price"),
        ({"url": "https://h", "path": [True]}, "The path to a price"),
        ({"url": "https://h", "currency": "e/r"}, "The currency of prices"),
        ({"url": "https://h", "names": {"LTC": 1}}, "The names of coins"),
        ({"url": "https://h", "headers": {"X": "a\r\nb: c"}}, "The headers for a price service"),
        ({"url": "https://h", "keep": 0}, "are kept for"),
        ({"url": "https://h", "timeout": 1.5}, "are kept for"),
        ({"url": "https://h", "limit": True}, "are kept for"),
    ],
)
def test_what_is_no_source(given: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_prices(given)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from(["url", "path", "keep", "LTC"]), inner, max_size=4
        )
    ),
    max_leaves=6,
)


@given(settings=JSON)
def test_whatever_the_setting_only_a_value_error_comes(settings: object) -> None:
    try:
        read_prices(settings)
    except ValueError:
        return
