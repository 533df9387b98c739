"""The coins of a site, as ``TICKETMINER_COINS`` names them: what they are called, and where their work comes from.

No sentence and no ``repr`` here shows a value that was given, for user names and passwords are among them.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import unquote

from flask_ticketminer.wording import did_you_mean
from flask_ticketminer.work.stratum.connection import Endpoint
from miner.pow import ALGORITHMS, UnknownImplementation
from miner.pow.errors import not_compiled

HEADER_ALGORITHMS = ("sha256d", "scrypt", "neoscrypt")
"""What coins of the Bitcoin family hash their headers of 80 bytes with."""
COIN_ALGORITHMS = (*HEADER_ALGORITHMS, "ethash")
MOST_PROFITABLE = "most-profitable"
"""What ``TICKETMINER_COIN`` may be beside a coin's name; no coin has this one."""
EPOCH_LENGTHS = (30_000, 60_000)
"""Blocks an ethash epoch: Ethereum's, and Ethereum Classic's since its block 11,700,000 (ECIP-1099)."""
MAX_COINS = MAX_POOLS = 32

BitcoinLanguage = t.Literal["bitcoin"]
EthashLanguage = t.Literal["nicehash", "getwork"]

_MEMBERS = (
    "symbol",
    "algorithm",
    "pools",
    "node",
    "address",
    "rules",
    "fee",
    "block_time",
    "dialect",
    "epoch_length",
)
_NAME = re.compile(r"[a-z0-9-]{1,32}")
_SYMBOL = re.compile(r"[A-Za-z0-9]{1,12}")
_ADDRESS = re.compile(r"[A-Za-z0-9:_-]{8,128}")
_RULE = re.compile(r"!?[a-z0-9_-]{1,32}")
_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")
_PART = r"((?:[^\s%:@/?#\[\]]|%[0-9A-Fa-f]{2})*)"
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_URL = re.compile(
    rf"([a-z+]+)://(?:{_PART}(?::{_PART})?@)?(\[[0-9A-Fa-f:.]+\]|{_LABEL}(?:\.{_LABEL})*):([0-9]{{1,5}})"
    r"(/[A-Za-z0-9._~/-]*)?"
)
_MAX_URL, _MAX_HOST, _MAX_WORD = 1024, 253, 256

_POOL_FORM = (
    "a pool is 'stratum+tcp://user:password@host:port' or 'stratum+ssl://…', with ':', '/' and '@' in a user or password "
    "written as %3A, %2F and %40, or a dictionary with the keys url, user and password"
)
_NODE_FORM = "a node is 'http://user:password@host:port/', its RPC, with ':', '/' and '@' in them written as %3A, %2F and %40"


@dataclass(frozen=True, slots=True)
class PoolAddress:
    """Where a pool listens, and as whom we come; `user` and `password` are plain text."""

    endpoint: Endpoint
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Coin:
    """A coin, checked.

    :ivar pools: in the order in which they are tried; empty where there is a node.
    :ivar node: the URL of its RPC, with user and password; None where there are pools.
    :ivar address: where a node's blocks pay to; None where there are pools.
    :ivar rules: of BIP 9, which a template is asked for with.
    :ivar fee: what the pool keeps, in percent.
    :ivar block_time: seconds from one block to the next on average.
    :ivar dialect: what the pools speak.
    :ivar epoch_length: blocks of one ethash dataset.
    """

    name: str
    symbol: str
    algorithm: str
    pools: tuple[PoolAddress, ...]
    node: str | None = field(repr=False)
    address: str | None
    rules: tuple[str, ...]
    fee: Decimal
    block_time: int
    dialect: BitcoinLanguage | EthashLanguage
    epoch_length: int

    @property
    def poll(self) -> int:
        """Seconds after which a miner asks whether its work is still wanted: a hundredth of the block time, 1 to 10."""
        return min(10, max(1, self.block_time // 100))


def read_coins(given: object) -> dict[str, Coin]:
    """Return the coins of ``TICKETMINER_COINS``, by name, in the order given.

    :raises ValueError: one cannot work; the sentence names the coin and what is accepted, never what was given.
    """
    if not isinstance(given, dict) or len(given) > MAX_COINS:
        raise ValueError(
            f"The coins are a dictionary of at most {MAX_COINS}, for example {{'litecoin': {{'symbol': 'LTC', …}}}}."
        )
    return {name: _Reader(name, entry).coin() for name, entry in given.items()}


class _Reader:
    """Reads one coin's entry, and words the errors."""

    def __init__(self, name: object, entry: object) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name == MOST_PROFITABLE:
            raise ValueError(
                f"A coin's name is 1 to 32 lower-case letters, digits and '-', and not '{MOST_PROFITABLE}'."
            )
        self.name = name
        unknown = [str(key) for key in entry if key not in _MEMBERS] if isinstance(entry, dict) else []
        if unknown or not isinstance(entry, dict):
            known = f"a coin is a dictionary with keys among {', '.join(_MEMBERS)}"
            raise ValueError(f"{self.wrong(known)}{did_you_mean(unknown, _MEMBERS)}")
        self.entry: dict[str, t.Any] = entry

    def wrong(self, sentence: str) -> ValueError:
        return ValueError(f"Coin {self.name}: {sentence}.")

    def coin(self) -> Coin:
        algorithm = self.algorithm()
        symbol = self.match("symbol", _SYMBOL, "1 to 12 letters and digits, such as 'LTC'")
        has_node = self.entry.get("node") is not None
        if has_node == (self.entry.get("pools") is not None):
            raise self.wrong("its work comes from pools or from a node: give one of the two")
        if has_node and algorithm not in HEADER_ALGORITHMS:
            raise self.wrong(
                f"a node gives work for {', '.join(HEADER_ALGORITHMS)} only; for {algorithm} give pools"
            )
        return Coin(
            name=self.name,
            symbol=symbol,
            algorithm=algorithm,
            pools=() if has_node else self.pools(),
            node=self.node() if has_node else None,
            address=self.address(has_node),
            rules=self.rules(has_node, symbol),
            fee=self.fee(),
            block_time=self.block_time(),
            dialect=self.dialect(algorithm),
            epoch_length=self.epoch_length(algorithm),
        )

    def match(self, key: str, form: re.Pattern[str], expected: str) -> str:
        value = self.entry.get(key)
        if not isinstance(value, str) or not form.fullmatch(value):
            raise self.wrong(f"its {key} must be {expected}")
        return value

    def algorithm(self) -> str:
        algorithm = self.entry.get("algorithm")
        if not isinstance(algorithm, str) or algorithm not in COIN_ALGORITHMS:
            raise self.wrong(f"its algorithm must be one of {', '.join(COIN_ALGORITHMS)}")
        if algorithm not in ALGORITHMS:
            raise self.wrong(str(not_compiled(algorithm)).rstrip("."))
        try:
            ALGORITHMS[algorithm].kernel()
        except UnknownImplementation as error:  # TICKETMINER_KERNEL: every share would fail
            raise self.wrong(str(error).rstrip(".")) from error
        return algorithm

    def pools(self) -> tuple[PoolAddress, ...]:
        given = self.entry["pools"]
        if not isinstance(given, list | tuple) or not 1 <= len(given) <= MAX_POOLS:
            raise self.wrong(f"its pools are a list of 1 to {MAX_POOLS}; {_POOL_FORM}")
        return tuple(self.pool(each) for each in given)

    def pool(self, given: object) -> PoolAddress:
        members = {"url": given} if isinstance(given, str) else given
        if not isinstance(members, dict) or not all(key in ("url", "user", "password") for key in members):
            raise self.wrong(_POOL_FORM)
        scheme, user, password, host, port, path = self.url(members.get("url"), _POOL_FORM)
        if scheme not in ("stratum+tcp", "stratum+ssl") or path not in (None, "/"):
            raise self.wrong(_POOL_FORM)
        if user is not None and ("user" in members or "password" in members):
            raise self.wrong("a pool's user and password stand in its URL or beside it, not in both")
        user = members.get("user") if user is None else user
        password = members.get("password") if password is None else password
        return PoolAddress(
            Endpoint(host, port, tls=scheme == "stratum+ssl"),
            self.word(user, "user", least=1),
            self.word("x" if password is None else password, "password", least=0),
        )

    def node(self) -> str:
        given = self.entry["node"]
        if self.url(given, _NODE_FORM)[0] not in ("http", "https"):
            raise self.wrong(_NODE_FORM)
        return t.cast("str", given)

    def url(self, given: object, form: str) -> tuple[str, str | None, str | None, str, int, str | None]:
        """Return scheme, user, password, host, port and path of a URL."""
        found = _URL.fullmatch(given) if isinstance(given, str) and len(given) <= _MAX_URL else None
        if found is None:
            raise self.wrong(form)
        scheme, user, password, host, port, path = found.groups()
        if not 0 < int(port) < 1 << 16 or len(host) > _MAX_HOST:
            raise self.wrong(f"{form}; a port is 1 to 65535")
        if host.startswith("[") and not _is_ipv6(host[1:-1]):
            raise self.wrong(f"{form}; an IPv6 address stands in brackets, without a zone")
        plain = [None if each is None else unquote(each, errors="replace") for each in (user, password)]
        return scheme, plain[0], plain[1], host.strip("[]"), int(port), path

    def word(self, value: object, name: str, *, least: int) -> str:
        if (
            not isinstance(value, str)
            or not least <= len(value) <= _MAX_WORD
            or not value.isprintable()
            or "\N{REPLACEMENT CHARACTER}" in value  # what was percent-encoded is no UTF-8
        ):
            raise self.wrong(f"a pool's {name} is {least} to {_MAX_WORD} printable characters; {_POOL_FORM}")
        return value

    def address(self, has_node: bool) -> str | None:
        if has_node:
            return self.match("address", _ADDRESS, "the address that its blocks pay to")
        if self.entry.get("address") is not None:
            raise self.wrong("an address is for a node; a pool pays whom its user name says")
        return None

    def rules(self, has_node: bool, symbol: str) -> tuple[str, ...]:
        given = self.entry.get("rules")
        if given is None:
            mweb = self.name.startswith("litecoin") or symbol == "LTC"
            return ("segwit", "mweb") if mweb else ("segwit",)
        if not has_node:
            raise self.wrong("rules are for a node")
        if (
            not isinstance(given, list | tuple)
            or len(given) > 16
            or not all(isinstance(rule, str) and _RULE.fullmatch(rule) for rule in given)
        ):
            raise self.wrong("its rules must be a list of at most 16 names, such as ['segwit']")
        return tuple(given)

    def fee(self) -> Decimal:
        given = self.entry.get("fee", "0")
        if isinstance(given, Decimal) or (type(given) is int and 0 <= given <= 100):
            given = str(given)
        if not isinstance(given, str) or not _PERCENT.fullmatch(given) or Decimal(given) > 100:
            raise self.wrong(
                "its fee must be what the pool keeps in percent, from '0' to '100', as text such as '1.5' or as a whole number"
            )
        return Decimal(given)

    def block_time(self) -> int:
        given = self.entry.get("block_time")
        if type(given) is not int or not 1 <= given <= 86400:
            raise self.wrong("its block_time must be the seconds between blocks, 1 to 86400, such as 150")
        return given

    def dialect(self, algorithm: str) -> BitcoinLanguage | EthashLanguage:
        given = self.entry.get("dialect")
        if algorithm in HEADER_ALGORITHMS:
            if given in (None, "bitcoin"):
                return "bitcoin"
            raise self.wrong(f"the dialect of {algorithm} is 'bitcoin'")
        if given in (None, "nicehash"):
            return "nicehash"
        if given == "getwork":
            return "getwork"
        raise self.wrong(f"the dialect of {algorithm} is 'nicehash' (EthereumStratum/1.0.0) or 'getwork'")

    def epoch_length(self, algorithm: str) -> int:
        given = self.entry.get("epoch_length")
        if given is not None and algorithm != "ethash":
            raise self.wrong("an epoch_length is for ethash")
        if given is not None and (type(given) is not int or given not in EPOCH_LENGTHS):
            raise self.wrong("its epoch_length must be 30000, or 60000 for Ethereum Classic")
        return EPOCH_LENGTHS[0] if given is None else given


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
