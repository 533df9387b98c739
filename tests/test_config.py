"""Every setting that cannot work is refused with its name and what would work."""

from __future__ import annotations

import re
import traceback
import typing as t
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask

from flask_ticketminer import TicketMiner, ticket_required
from flask_ticketminer.config import PREFIX
from flask_ticketminer.errors import ConfigurationError
from miner.pow import ALGORITHMS, Algorithms

DOCUMENTED = Path(__file__).parent.parent / "docs/config.rst"


@pytest.fixture
def make_app(tmp_path: t.Any) -> Callable[..., Flask]:
    def make(**config: object) -> Flask:
        app = Flask("configured", instance_path=str(tmp_path))
        app.config.update({"SECRET_KEY": "k" * 32, **config})
        TicketMiner(app)
        return app

    return make


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SITE_NAME", ""),
        ("SITE_NAME", "a" * 256),
        ("SITE_NAME", "line\nbreak"),
        ("ALGORITHM", "md5"),
        ("ALGORITHM", "neoscrypt"),
        ("ALGORITHM", "ethash"),
        ("URL_PREFIX", "ticketminer"),
        ("URL_PREFIX", "/x/"),
        ("EFFORT", {"scrypt": 3}),
        ("EFFORT", {"scrypt": True}),
        ("EFFORT", {"x11": 2}),
        ("EFFORT", 5),
        ("EPOCH_DAYS", 0),
        ("EPOCH_DAYS", 1.5),
        ("REDEEM_DAYS", 13),
        ("REDEEM_DAYS", 365),
        ("REPLAY_KEPT", 3600),
        ("MAX_INPUTS", "64"),
        ("ALLOW_HTTP", 1),
        ("FUNDS", ["articles"]),
        ("FUNDS", {"Big Fund": "x"}),
        ("FUNDS", {"articles": {"minimum": 5, "default": 2}}),
        ("FUNDS", {"articles": {"minimum": 0}}),
        ("ORIGINS", "http://x.onion"),
        ("ORIGINS", ["http://x.onion/path"]),
        ("DATABASE_URI", ""),
        ("WORK", "instant"),
        ("CONSENT_TEXT", None),
        ("UPSTREAM_JOB_LIFE", 5),
        ("BRIDGE_LEASE", 0),
        ("COINS", {"litecoin": {"symbol": "LTC"}}),
        ("COIN", "litecoin"),
        ("COIN", "most-profitable"),
        ("PRICES", "85.12"),
        ("PRICES", {"LTC": 85.12}),
        ("PRICES", {"url": "ftp://prices.example/"}),
        ("TICKET_WORTH", 0.1),
        ("TICKET_WORTH", "0"),
        ("TICKET_WORTH", "little"),
        ("SWITCH_MARGIN", 0.1),
        ("SWITCH_MARGIN", "-1"),
        ("SWITCH_MARGIN", "1001"),
        ("SWITCH_MARGIN", True),
    ],
)
def test_a_setting_that_cannot_work_is_named(make_app: Callable[..., Flask], key: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"TICKETMINER_{key}"):
        make_app(**{f"TICKETMINER_{key}": value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("COINS", {"litecoin": {"symbol": "LTC", "algorithm": "scrypt", "pools": ["stratum://a:hunter2@h"]}}),
        ("PRICES", {"url": "https://prices.example/", "headers": {"X-Key": "hunter2\n"}}),
        ("PRICES", {"url": "https://prices.example/?key=hunter2", "timeout": 0}),
        ("TICKET_WORTH", "hunter2"),
        ("SWITCH_MARGIN", "hunter2"),
    ],
)
def test_no_error_shows_what_was_given(make_app: Callable[..., Flask], key: str, value: object) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make_app(**{f"TICKETMINER_{key}": value})
    assert "hunter2" not in "".join(traceback.format_exception(refused.value))


def test_amounts_may_be_text_and_whole_numbers(make_app: Callable[..., Flask]) -> None:
    config = {"TICKETMINER_TICKET_WORTH": "1e-10", "TICKETMINER_SWITCH_MARGIN": 5}
    settings = make_app(**config).extensions["ticketminer"].settings
    assert (settings.ticket_worth, settings.switch_margin) == (Decimal("1e-10"), Decimal(5))


def test_local_work_is_yespower_where_the_kernels_are(make_app: Callable[..., Flask]) -> None:
    pytest.importorskip("miner.pow._kernels", reason="the kernels were not compiled here")
    assert make_app().config["TICKETMINER_ALGORITHM"] == "yespower"


def test_without_kernels_local_work_is_scrypt_and_the_remedy_is_named(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    standard_library = Algorithms({name: ALGORITHMS[name] for name in ("sha256d", "scrypt")})
    monkeypatch.setattr("flask_ticketminer.config.ALGORITHMS", standard_library)
    app = make_app()
    assert app.config["TICKETMINER_ALGORITHM"] == "scrypt"
    app.test_client().get("/")
    assert "graphics card" in caplog.text
    with pytest.raises(ConfigurationError, match="install again where a C compiler is"):
        make_app(TICKETMINER_ALGORITHM="yespower")


def test_a_forced_path_that_cannot_check_the_sites_shares_is_refused(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKETMINER_KERNEL", "vax")
    with pytest.raises(ConfigurationError, match="unset TICKETMINER_KERNEL"):
        make_app()


def test_a_misspelt_setting_is_found(make_app: Callable[..., Flask]) -> None:
    with pytest.raises(ConfigurationError, match="TICKETMINER_EPOCHDAYS: no such setting"):
        make_app(TICKETMINER_EPOCHDAYS=3)


def test_the_setting_that_was_meant_is_named(make_app: Callable[..., Flask]) -> None:
    with pytest.raises(ConfigurationError, match=r"Did you mean TICKETMINER_COINS\?"):
        make_app(TICKETMINER_COIN_S={})


def test_defaults_are_written_back(make_app: Callable[..., Flask]) -> None:
    assert make_app().config["TICKETMINER_EPOCH_DAYS"] == 7


def test_every_setting_is_documented_and_nothing_else(make_app: Callable[..., Flask]) -> None:
    documented = re.findall(r"^\.\. data:: (\w+)$", DOCUMENTED.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(key for key in make_app().config if key.startswith(PREFIX))


def test_documented_numbers_are_the_defaults(make_app: Callable[..., Flask]) -> None:
    numbers = re.findall(
        r"^\.\. data:: (\w+)\n\n   .*?Default: (\d+)\.", DOCUMENTED.read_text(), re.MULTILINE
    )
    assert len(numbers) == 15
    assert {key: int(number) for key, number in numbers}.items() <= make_app().config.items()


def test_an_application_that_routes_by_host_is_refused(tmp_path: Path) -> None:
    app = Flask("hosts", host_matching=True, static_host="shop.example", instance_path=str(tmp_path))
    with pytest.raises(ConfigurationError, match="host_matching"):
        TicketMiner(app)


def test_a_site_name_defaults_to_the_server_name(make_app: Callable[..., Flask]) -> None:
    app = make_app(SERVER_NAME="shop.example")
    assert app.extensions["ticketminer"].settings.site_name == "shop.example"


def test_setting_up_opens_nothing(make_app: Callable[..., Flask], tmp_path: t.Any) -> None:
    make_app()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_secret_key_says_how_to_make_one(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECRET_KEY=None, TESTING=True)
    app.add_url_rule("/x", "x", ticket_required(price=1)(lambda: "x"))
    with pytest.raises(ConfigurationError, match="token_hex"):
        app.test_client().get("/x")


@pytest.mark.parametrize(
    "reach", [{"base_url": "https://shop.example"}, {"headers": {"X-Forwarded-For": "203.0.113.5"}}]
)
@pytest.mark.parametrize("secret", ["change me", b"dev", "hard to guess string", b'_5#y2L"F4Q8z\n\xec]/'])
def test_production_refuses_a_weak_secret(
    make_app: Callable[..., Flask], reach: dict[str, t.Any], secret: str | bytes
) -> None:
    app = make_app(SECRET_KEY=secret, PROPAGATE_EXCEPTIONS=True)
    app.add_url_rule("/x", "x", ticket_required(price=1)(lambda: "x"))
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        app.test_client().get("/x", **reach)


def test_a_weak_secret_is_good_enough_on_the_developers_machine(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECRET_KEY="change me", PROPAGATE_EXCEPTIONS=True)
    app.add_url_rule("/x", "x", ticket_required(price=1)(lambda: "x"))
    assert app.test_client().get("/x").status_code == 402


def test_a_site_without_a_name_is_warned_in_production(
    make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app()
    app.test_client().get("/", base_url="https://shop.example")
    assert "TICKETMINER_SITE_NAME" in caplog.text
