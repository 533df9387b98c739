"""The settings of one application, checked; :mod:`flask_ticketminer.configreader` reads them."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, field
from decimal import Decimal

from flask import Flask

from flask_ticketminer.work.coins import MOST_PROFITABLE, Coin
from miner.pow import ALGORITHMS
from miner.pow.errors import REMEDY

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
_MIN_SECRET = 16
"""Characters: what people write for the time being is shorter."""
_PUBLISHED_SECRETS = frozenset(
    {
        b"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        b'_5#y2L"F4Q8z\n\xec]/',
        b"A0Zr98j/3yX R~XHH!jmN]LWX/,?RT",
        b"hard to guess string",
        b"you-will-never-guess",
    }
)
"""Long enough, but printed in Flask's documentation or in the tutorials that everybody copies from."""


@dataclass(frozen=True, slots=True)
class Fund:
    """Something a visitor can donate to: what it is called, the least and the proposed number of tickets."""

    title: str
    minimum: int = 1
    default: int = 5


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


def weak_secrets(app: Flask, settings: Settings) -> list[str]:
    """Return the names of secrets that are short or well-known; production refuses to run with them."""
    candidates = {"SECRET_KEY": app.config.get("SECRET_KEY"), f"{PREFIX}KEY_SECRET": settings.key_secret}
    return [
        key
        for key, value in candidates.items()
        if value is not None and (len(value) < _MIN_SECRET or _bytes(value) in _PUBLISHED_SECRETS)
    ]


def _bytes(secret: str | bytes) -> bytes:
    return secret.encode() if isinstance(secret, str) else secret
