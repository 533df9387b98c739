"""The settings of one application, read once in :meth:`TicketMiner.init_app`."""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass, field
from decimal import Decimal

from flask import Flask

from flask_ticketminer.assets import languages
from flask_ticketminer.errors import ConfigurationError
from flask_ticketminer.funds import Fund, read_funds
from flask_ticketminer.wording import did_you_mean
from flask_ticketminer.work.coins import MOST_PROFITABLE, Coin, read_coins
from flask_ticketminer.work.market import SWITCH_MARGIN
from miner.pow import ALGORITHMS, UnknownImplementation
from miner.pow.errors import REMEDY
from miner.tokens import DENOMINATIONS

if t.TYPE_CHECKING:
    from flask_ticketminer.work.prices import PriceSource

PREFIX = "TICKETMINER_"

DEFAULT_EFFORT: t.Mapping[str, int] = {
    "yespower": 2**12,
    "scrypt": 2**15,
    "sha256d": 2**24,
    "neoscrypt": 2**13,
    "ethash": 2**11,
}
"""Expected hashes that one ticket costs, by algorithm (design, section 11)."""

LOCAL_ALGORITHMS = ("yespower", "scrypt", "sha256d")
"""What `local` work can be made of, the fairest first; the default is the first that this installation computes.

A graphics card is not known to gain much from yespower, which needs the compiled kernels (docs/limits.md). The others come from
upstream only.
"""

DEFAULT_CONSENT = (
    "This site offers to be paid with computing time. If you agree, your device searches for numbers that prove work, using "
    "the processor time and electricity you allow. It stops when you say so, and you may refuse. The work earns "
    "tickets that pay for things on this site. Tickets are site credit, not money, and they expire."
)

LIVE_KEYS = 256
"""Keys that a site can have at one time: their ids differ in the last byte, by which a request names its key (RFC 9578)."""
_MAX_MARGIN = 1000
_TIP_EVENTS = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@%/{}-]*")
_PERCENT = re.compile(r"[0-9]{1,4}(\.[0-9]{1,6})?")
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, checked. Times are seconds."""

    site_name: str
    url_prefix: str
    database_uri: str | None
    key_secret: str | None
    algorithm: str
    work: str
    effort: t.Mapping[str, int]
    denominations: tuple[int, ...]
    epoch_days: int
    redeem_days: int
    job_life: int
    upstream_job_life: int
    bridge_lease: int
    coins: t.Mapping[str, Coin]
    coin: str | None
    tip_events: str | None
    prices: PriceSource | None = field(repr=False)
    ticket_worth: Decimal | None
    switch_margin: Decimal
    challenge_life: int
    lease: int
    replay_kept: int
    max_inputs: int
    max_outputs: int
    max_body: int
    max_reservations: int
    signing_budget: int
    verification_budget: int
    exchange_budget: int
    allow_http: bool
    uses_authorization: bool
    consent_text: str
    widget: bool
    language: str | None
    page_policy: bool
    funds: t.Mapping[str, Fund]
    origins: tuple[str, ...]
    testing: bool

    @property
    def consent_version(self) -> str:
        """Names the consent text: the first 16 hex digits of its SHA-256."""
        return hashlib.sha256(self.consent_text.encode()).hexdigest()[:16]

    @property
    def usual_consent(self) -> bool:
        """Whether the consent text is ours, of which there are translations."""
        return self.consent_text == DEFAULT_CONSENT

    @property
    def open_epochs(self) -> int:
        """Epochs whose keys exist at one time: the coming and the current one, and those not retired, with a day for pruning."""
        return 2 - -(self.redeem_days + 2) // self.epoch_days

    @property
    def offered_coins(self) -> tuple[Coin, ...]:
        """The coins that visitors may be asked to compute for, the default first; none where work is local."""
        if self.coin is None or self.work == "instant":
            return ()
        if self.coin == MOST_PROFITABLE:
            return tuple(self.coins.values())
        return (self.coins[self.coin],)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What visitors may be asked to compute, the default first."""
        return tuple(dict.fromkeys(coin.algorithm for coin in self.offered_coins)) or (self.algorithm,)

    @property
    def work_kind(self) -> str:
        """What the service document calls this work: ``local``, ``instant`` or ``upstream``."""
        return "upstream" if self.offered_coins else self.work

    @property
    def largest(self) -> int:
        return self.denominations[-1]

    def expected(self, effort: int, value: int) -> int:
        """Return the expected hashes of a share worth `value` tickets of `effort` each."""
        return 1 if self.work == "instant" else effort * value

    def expected_hashes(self, algorithm: str, value: int) -> int:
        """Return the effort of a share worth `value` tickets, by the table of efforts."""
        return self.expected(self.effort[algorithm], value)

    def target(self, algorithm: str, value: int) -> int:
        """Return the largest digest, as an integer, that pays `value` tickets: 2^256 / expected hashes - 1."""
        return 2**256 // self.expected_hashes(algorithm, value) - 1


def uncompiled(settings: Settings) -> str | None:
    """Return a warning where work had to fall back to what hashlib computes, else None."""
    if settings.offered_coins or settings.algorithm in ("yespower", "sha256d") or "yespower" in ALGORITHMS:
        return None
    return (
        "The compiled kernels are not here, so work is scrypt, at which a graphics card replaces some hundred visitors. For yespower, "
        f"{REMEDY}."
    )


def read_settings(app: Flask) -> Settings:
    """Return the settings of `app`, filling in the defaults under their names in ``app.config``.

    :raises ConfigurationError: a value cannot work; the message names the key and what is accepted.
    """
    read = _Reader(app)
    name = read.text("SITE_NAME", app.config.get("SERVER_NAME") or "localhost")
    if len(name) > 255 or not name.isascii():
        raise read.wrong("SITE_NAME", "a name of at most 255 ASCII characters (a domain in its xn-- form)")
    algorithm = read.algorithm()
    coins = read.coins()
    work = read.text("WORK", "local")
    if work not in ("local", "instant") or (work == "instant" and not app.testing):
        raise read.wrong("WORK", "'local' ('instant' only where app.testing is set before init_app)")
    settings = Settings(
        site_name=name,
        url_prefix=read.prefix(),
        database_uri=read.optional("DATABASE_URI"),
        key_secret=read.optional("KEY_SECRET"),
        algorithm=algorithm,
        work=work,
        effort=read.effort(),
        denominations=DENOMINATIONS,
        epoch_days=read.integer("EPOCH_DAYS", 7, 1, 366),
        redeem_days=read.integer("REDEEM_DAYS", 14, 14, 3660),
        job_life=read.integer("JOB_LIFE", 600, 10, 86400),
        upstream_job_life=read.integer("UPSTREAM_JOB_LIFE", 300, 10, 86400),
        bridge_lease=read.integer("BRIDGE_LEASE", 10, 1, 600),
        coins=coins,
        coin=read.coin(coins),
        tip_events=read.tip_events(),
        prices=read.prices(),
        ticket_worth=read.ticket_worth(),
        switch_margin=read.switch_margin(),
        challenge_life=read.integer("CHALLENGE_LIFE", 900, 10, 86400),
        lease=read.integer("LEASE", 120, 1, 3600),
        replay_kept=read.integer("REPLAY_KEPT", 86400, 86400, 366 * 86400),
        max_inputs=read.integer("MAX_INPUTS", 64, 1, 256),
        max_outputs=read.integer("MAX_OUTPUTS", 32, 1, 256),
        max_body=read.integer("MAX_BODY", 64 * 1024, 16 * 1024, 2**20),
        max_reservations=read.integer("MAX_RESERVATIONS", 100, 1, 10_000),
        signing_budget=read.integer("SIGNING_BUDGET", 1000, 1, 10**6),
        verification_budget=read.integer("VERIFICATION_BUDGET", 500, 1, 10**6),
        exchange_budget=read.integer("EXCHANGE_BUDGET", 120, 1, 10**6),
        allow_http=read.flag("ALLOW_HTTP", False),
        uses_authorization=read.flag("USES_AUTHORIZATION", False),
        consent_text=read.text("CONSENT_TEXT", DEFAULT_CONSENT),
        widget=read.flag("WIDGET", True),
        language=read.language(),
        page_policy=read.flag("PAGE_POLICY", True),
        funds=read.funds(),
        origins=read.origins(),
        testing=bool(app.testing),
    )
    if settings.open_epochs * len(settings.denominations) > LIVE_KEYS:
        raise read.wrong(
            "REDEEM_DAYS",
            f"fewer days: with these epochs more than {LIVE_KEYS} keys would be open at one time",
        )
    read.refuse_unknown()
    return settings


def late_settings(app: Flask, read: t.Mapping[str, t.Any]) -> str | None:
    """Return a warning where a setting was given or changed after `read`, what ``init_app`` found in ``app.config``; else None."""
    late = sorted(
        name
        for name, value in app.config.items()
        if name.startswith(PREFIX) and (name not in read or (read[name] is not value and read[name] != value))
    )
    if not late:
        return None
    names = ", ".join(late)
    return f"{names} changed after TicketMiner(app) or init_app(app) had read the settings, and that has no effect: set it before."


class _Reader:
    """Reads ``TICKETMINER_*`` keys, storing each default, and words the errors."""

    def __init__(self, app: Flask) -> None:
        self.config = app.config
        self.known: set[str] = set()

    def value(self, key: str, default: t.Any) -> t.Any:
        self.known.add(PREFIX + key)
        return self.config.setdefault(PREFIX + key, default)

    def wrong(self, key: str, expected: str) -> ConfigurationError:
        return ConfigurationError(
            f"{PREFIX}{key} is {self.config.get(PREFIX + key)!r}, but it must be {expected}."
        )

    def text(self, key: str, default: str) -> str:
        value = self.value(key, default)
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise self.wrong(key, "a non-empty line of text")
        return value

    def optional(self, key: str) -> str | None:
        value = self.value(key, None)
        if value is not None and (not isinstance(value, str) or not value):
            raise ConfigurationError(f"{PREFIX}{key} must be a non-empty string or None.")
        return value

    def integer(self, key: str, default: int, least: int, most: int) -> int:
        value = self.value(key, default)
        if type(value) is not int or not least <= value <= most:
            raise self.wrong(key, f"a whole number from {least} to {most}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self.value(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "True or False")
        return value

    def language(self) -> str | None:
        value, known = self.value("LANGUAGE", None), languages()
        if value is not None and value not in known:
            raise self.wrong(
                "LANGUAGE", f"None or a language that our pages are written in ({', '.join(known)})"
            )
        return t.cast("str | None", value)

    def prefix(self) -> str:
        value = self.value("URL_PREFIX", "/ticketminer")
        if not isinstance(value, str) or not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", value):
            raise self.wrong("URL_PREFIX", "a path such as '/ticketminer', without a slash at its end")
        return value

    def algorithm(self) -> str:
        offered = [name for name in LOCAL_ALGORITHMS if name in ALGORITHMS]
        chosen = self.text("ALGORITHM", offered[0])
        if chosen in offered:
            try:
                ALGORITHMS[chosen].kernel()
            except UnknownImplementation as error:  # TICKETMINER_KERNEL: every share would fail
                raise ConfigurationError(str(error)) from error
            return chosen
        remedy = "; for others, install again where a C compiler is" if chosen in LOCAL_ALGORITHMS else ""
        raise self.wrong("ALGORITHM", f"one that this installation can check ({', '.join(offered)}{remedy})")

    def coins(self) -> dict[str, Coin]:
        try:
            return read_coins(self.value("COINS", {}))
        except ValueError as error:  # which shows nothing of what was given: passwords stand in it
            raise ConfigurationError(f"{PREFIX}COINS cannot be used. {error}") from error

    def coin(self, coins: t.Mapping[str, Coin]) -> str | None:
        chosen = self.value("COIN", next(iter(coins), None))
        if chosen is not None and chosen not in coins and (chosen != MOST_PROFITABLE or not coins):
            names = (
                ", ".join(repr(name) for name in (*coins, MOST_PROFITABLE)) if coins else "a coin of its own"
            )
            raise self.wrong("COIN", f"None for local work, or one of TICKETMINER_COINS ({names})")
        return t.cast("str | None", chosen)

    def tip_events(self) -> str | None:
        value = self.value("TIP_EVENTS", None)
        if value is None:
            return None
        if (
            isinstance(value, str)
            and _TIP_EVENTS.fullmatch(value)
            and value.count("{algorithm}") == 1
            and not set("{}") & set(value.replace("{algorithm}", ""))
            and len(value) <= 255
        ):
            return value
        raise self.wrong(
            "TIP_EVENTS", "None, or a path of this site such as '/ticketminer/tip/{algorithm}/events'"
        )

    def prices(self) -> PriceSource | None:
        given = self.value("PRICES", None)
        if given is None:
            return None
        from flask_ticketminer.work.prices import read_prices  # and an HTTP client, which few sites need

        try:
            return read_prices(given)
        except ValueError as error:  # which shows nothing of what was given: a key may stand in it
            raise ConfigurationError(f"{PREFIX}PRICES cannot be used. {error}") from error

    def ticket_worth(self) -> Decimal | None:
        given = self.value("TICKET_WORTH", None)
        if given is None:
            return None
        from flask_ticketminer.work.prices import LEAST, MOST, read_amount

        amount = read_amount(given)
        if amount is None:
            raise ConfigurationError(
                f"{PREFIX}TICKET_WORTH must be None, or an amount from {LEAST} to {MOST} as text, such as '0.0000000001'."
            )
        return amount

    def switch_margin(self) -> Decimal:
        given = self.value("SWITCH_MARGIN", str(SWITCH_MARGIN))
        text = str(given) if type(given) is int or isinstance(given, Decimal) else given
        if not isinstance(text, str) or not _PERCENT.fullmatch(text) or Decimal(text) > _MAX_MARGIN:
            raise ConfigurationError(
                f"{PREFIX}SWITCH_MARGIN must be percent from '0' to '{_MAX_MARGIN}', as text such as '10' or as a whole number."
            )
        return Decimal(text)

    def effort(self) -> dict[str, int]:
        given = self.value("EFFORT", {})
        if not isinstance(given, dict):
            raise self.wrong("EFFORT", "a dictionary of algorithm and expected hashes a ticket")
        for algorithm, hashes in given.items():
            if algorithm not in DEFAULT_EFFORT:
                raise self.wrong("EFFORT", f"about known algorithms ({', '.join(DEFAULT_EFFORT)})")
            if type(hashes) is not int or not 1 <= hashes <= 2**40 or hashes & (hashes - 1):
                raise self.wrong("EFFORT", "made of powers of two from 1 to 2**40")
        return {**DEFAULT_EFFORT, **given}

    def funds(self) -> dict[str, Fund]:
        try:
            return read_funds(self.value("FUNDS", {}))
        except ValueError as error:
            raise self.wrong("FUNDS", str(error)) from error

    def origins(self) -> tuple[str, ...]:
        given = self.value("ORIGINS", ())
        if not isinstance(given, (list, tuple)) or not all(
            isinstance(origin, str) and _ORIGIN.fullmatch(origin) for origin in given
        ):
            raise self.wrong("ORIGINS", "a list of origins such as 'http://abc.onion', without a path")
        return tuple(given)

    def refuse_unknown(self) -> None:
        unknown = sorted(key for key in self.config if key.startswith(PREFIX) and key not in self.known)
        if unknown:
            raise ConfigurationError(
                f"{', '.join(unknown)}: no such setting.{did_you_mean(unknown, self.known)} "
                f"Flask-TicketMiner knows {', '.join(sorted(self.known))}."
            )
