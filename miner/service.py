"""What a site says about itself: its service document and its directory of ticket keys."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric import rsa

from miner import answers
from miner.answers import Members, nonsense
from miner.errors import KeyMismatch
from miner.tokens import (
    DENOMINATIONS,
    TOKEN_TYPE,
    CodecError,
    TokenChallenge,
    b64url,
    hex_bytes,
    public_key_from_spki,
    token_key_id,
    unb64url,
)
from miner.transport import origin_of

_TEMPLATES = ("tip", "tip_events")
MAX_KEYS = 512
"""Entries of a directory, and living keys of one site: ten denominations in a few epochs are some thirty."""
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One way to work: its name, the expected hashes of one ticket, and where jobs come from (``local``, …)."""

    name: str
    expected_hashes: int
    work: str


@dataclass(frozen=True, slots=True)
class Fund:
    """Where donations go; `minimum` and `default` in tickets."""

    name: str
    title: str
    minimum: int
    default: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes of requests: tickets, outputs, bytes, characters, hashes; never above what this program handles."""

    inputs: int = 64
    outputs: int = 32
    body: int = 65536
    header_credential: int = 7000
    header_outputs: int = 3
    restore: int = 256
    job_value: int = 512


@dataclass(frozen=True, slots=True)
class Links:
    """Paths on the site. `spent` contains ``{key_id}``, `tip` and `tip_events` ``{algorithm}``; None where there is no such."""

    job: str
    submit: str
    redeem: str
    keys: str
    restore: str
    donate: str
    spent: str
    tip: str | None = None
    tip_events: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """``GET /ticketminer/``: what a site offers."""

    site_name: str
    denominations: tuple[int, ...]
    algorithms: tuple[Algorithm, ...]
    limits: Limits
    consent_version: str
    consent_text: str
    funds: tuple[Fund, ...]
    origins: tuple[str, ...]
    links: Links

    def algorithm(self, name: str) -> Algorithm | None:
        return next((algorithm for algorithm in self.algorithms if algorithm.name == name), None)


@dataclass(frozen=True)
class TicketKey:
    """One entry of a directory. Dates are Unix seconds, `value` is in tickets, `spki` is DER in RSASSA-PSS form."""

    key_id: bytes
    value: int
    not_before: int
    issue_until: int
    redeem_until: int
    issuer_name: str
    spki: bytes

    @cached_property
    def public_key(self) -> rsa.RSAPublicKey:
        return public_key_from_spki(self.spki)

    @cached_property
    def challenge_digest(self) -> bytes:
        """What every ticket of this key carries as its challenge digest (32 bytes)."""
        return TokenChallenge(self.issuer_name).digest

    def issues(self, now: int) -> bool:
        """Return whether the site makes new tickets with this key at `now`."""
        return self.not_before <= now < self.issue_until

    def entry(self) -> dict[str, t.Any]:
        """Return the key as a directory shows it."""
        return {
            "token-type": TOKEN_TYPE,
            "token-key": b64url(self.spki),
            "not-before": self.not_before,
            "key-id": self.key_id.hex(),
            "value": self.value,
            "issuer-name": self.issuer_name,
            "issue-until": self.issue_until,
            "redeem-until": self.redeem_until,
        }


def read_service(members: Members) -> Service:
    """Return the service document in `members`.

    :raises SiteProtocolError: it is not one, or of another version.
    """
    name = "service"
    if members.get("service") != "ticketminer":
        raise nonsense("this is not a ticket site's service document.")
    if members.get("version") != 1:
        raise nonsense("the service document is not of version 1; update this program.")
    denominations = answers.items(members, "denominations", name=name, most=len(DENOMINATIONS))
    if not denominations or any(
        type(value) is not int or value not in DENOMINATIONS for value in denominations
    ):
        raise nonsense("denominations are powers of two from 1 to 512.")
    consent = answers.nested(members, "consent", name=name)
    return Service(
        site_name=answers.text(members, "site_name", name=name, limit=255),
        denominations=tuple(sorted(set(denominations))),
        algorithms=tuple(
            _algorithm(item) for item in answers.objects(members, "algorithms", name=name, most=64)
        ),
        limits=_limits(answers.nested(members, "limits", name=name)),
        consent_version=answers.text(consent, "version", name="consent", limit=255),
        consent_text=answers.text(consent, "text", name="consent", limit=20_000),
        funds=tuple(_fund(item) for item in answers.objects(members, "funds", name=name, most=1000)),
        origins=tuple(_origin(item) for item in answers.items(members, "origins", name=name, most=64)),
        links=_links(answers.nested(members, "links", name=name)),
    )


def read_directory(members: Members) -> list[TicketKey]:
    """Return the ticket keys of the directory in `members`, in its order; other token types are passed over.

    :raises SiteProtocolError: an entry is malformed or its id is not its key's.
    :raises KeyMismatch: two keys stand for the same value and start.
    """
    entries = answers.objects(members, "token-keys", name="directory", most=MAX_KEYS)
    keys = [_key(entry) for entry in entries if entry.get("token-type") == TOKEN_TYPE]
    check_periods(keys)
    return keys


def check_periods(keys: t.Iterable[TicketKey]) -> None:
    """Let no two of `keys` make tickets of one value at the same time.

    :raises KeyMismatch: two do.
    """
    last: TicketKey | None = None
    for key in sorted(set(keys), key=lambda key: (key.value, key.not_before)):
        if last is not None and last.value == key.value and key.not_before < last.issue_until:
            raise KeyMismatch(
                f"The site shows a second key for tickets of value {key.value} in the same period. That is how a site "
                "would mark its visitors to recognise them later, so nothing is mined or paid here. Ask the operator, "
                "and compare the directory from another connection."
            )
        last = key


def _key(entry: Members) -> TicketKey:
    name = "token-keys"
    try:
        spki = unb64url(answers.text(entry, "token-key", name=name), name="token-key")
        public_key = public_key_from_spki(spki)
        key_id = hex_bytes(entry.get("key-id"), size=32, name="key-id")
    except CodecError as error:
        raise nonsense(str(error)) from error
    if token_key_id(public_key) != key_id:
        raise nonsense("a key's id in the directory is not the hash of the key.")
    value = answers.integer(entry, "value", name=name, low=1, high=DENOMINATIONS[-1])
    issuer_name = answers.text(entry, "issuer-name", name=name, limit=255)
    dates = [
        answers.integer(entry, member, name=name) for member in ("not-before", "issue-until", "redeem-until")
    ]
    if value not in DENOMINATIONS or not issuer_name or not dates[0] < dates[1] <= dates[2]:
        raise nonsense("a key in the directory has no valid value, name or dates.")
    if dates[0] % DAY or dates[1] % DAY:
        raise nonsense("a key's epoch does not begin and end at midnight UTC.")
    return TicketKey(key_id, value, dates[0], dates[1], dates[2], issuer_name, spki)


def _algorithm(item: Members) -> Algorithm:
    name = "algorithms"
    return Algorithm(
        answers.text(item, "algorithm", name=name, limit=64),
        answers.integer(item, "expected_hashes", name=name, low=1, high=2**52),
        answers.text(item, "work", name=name, limit=64),
    )


def _fund(item: Members) -> Fund:
    return Fund(
        answers.text(item, "fund", name="funds", limit=255),
        answers.text(item, "title", name="funds", limit=1000),
        answers.integer(item, "minimum", name="funds", high=2**31 - 1),
        answers.integer(item, "default", name="funds", high=2**31 - 1),
    )


def _limits(item: Members) -> Limits:
    ours = Limits()
    return Limits(
        **{
            field: min(answers.integer(item, field, name="limits", low=1), getattr(ours, field))
            for field in Limits.__slots__
        }
    )


def _links(item: Members) -> Links:
    links = Links(
        **{
            field: answers.path(item, field, name="links")
            for field in Links.__slots__
            if field not in _TEMPLATES or item.get(field) is not None
        }
    )
    if "{" in "".join((links.job, links.submit, links.redeem, links.keys, links.restore, links.donate)):
        raise nonsense("a link has a placeholder where none belongs.")
    if links.spent.count("{key_id}") != 1:
        raise nonsense("links.spent does not contain {key_id}.")
    for template in (links.tip, links.tip_events):
        if template is not None and (template.count("{algorithm}"), template.count("{")) != (1, 1):
            raise nonsense("a link to the tip does not contain {algorithm} once, and nothing else in braces.")
    return links


def _origin(item: object) -> str:
    if not isinstance(item, str) or origin_of(item) != item:
        raise nonsense("origins are written like https://shop.example, without a path.")
    return item
