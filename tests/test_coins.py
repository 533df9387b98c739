"""Coins as a site's configuration names them: what is taken, what is refused, and that nothing shows a password."""

from __future__ import annotations

import typing as t
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_ticketminer.work import coins
from flask_ticketminer.work.coins import Coin, PoolAddress, read_coins
from flask_ticketminer.work.stratum.connection import Endpoint
from flask_ticketminer.work.stratum.dialects import Worker
from miner.pow import ALGORITHMS

SECRET = "Correct-horse-battery"
POOL: dict[str, t.Any] = {
    "symbol": "LTC",
    "algorithm": "scrypt",
    "pools": [f"stratum+tcp://worker:{SECRET}@127.0.0.1:3333"],
    "fee": "1.0",
    "block_time": 150,
}
NODE: dict[str, t.Any] = {
    "symbol": "LTC",
    "algorithm": "scrypt",
    "node": f"http://user:{SECRET}@127.0.0.1:9332/",
    "address": "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k",
    "block_time": 150,
}
ETHASH: dict[str, t.Any] = {
    "symbol": "ETC",
    "algorithm": "ethash",
    "pools": ["stratum+tcp://0xabc.rig:x@pool.example:4444"],
    "block_time": 13,
}


needs_kernels = pytest.mark.skipif("ethash" not in ALGORITHMS, reason="the kernels were not compiled")


def read(entry: dict[str, t.Any], **changes: t.Any) -> Coin:
    return read_coins({"coin": entry | changes})["coin"]


def pool(given: object) -> PoolAddress:
    return read(POOL, pools=[given]).pools[0]


def test_a_coin_of_pools() -> None:
    pools = (PoolAddress(Endpoint("127.0.0.1", 3333), "worker", SECRET),)
    expected = Coin(
        "litecoin",
        "LTC",
        "scrypt",
        pools,
        None,
        None,
        ("segwit", "mweb"),
        Decimal("1.0"),
        150,
        "bitcoin",
        30_000,
    )
    assert read_coins({"litecoin": POOL}) == {"litecoin": expected}


def test_a_coin_of_a_node() -> None:
    coin = read(NODE)
    assert (coin.node, coin.address, coin.pools) == (NODE["node"], NODE["address"], ())


def test_no_coins() -> None:
    assert read_coins({}) == {}


def test_coins_keep_their_order() -> None:
    assert list(read_coins({"b": POOL, "a": NODE})) == ["b", "a"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("stratum+tcp://a.b:c@pool.example:3333", PoolAddress(Endpoint("pool.example", 3333), "a.b", "c")),
        ("stratum+ssl://a@pool.example:443/", PoolAddress(Endpoint("pool.example", 443, True), "a", "x")),
        ("stratum+tcp://a%2Fb%40c:%3a@h:1", PoolAddress(Endpoint("h", 1), "a/b@c", ":")),
        ("stratum+tcp://a:d=512,x@h:1", PoolAddress(Endpoint("h", 1), "a", "d=512,x")),
        ("stratum+tcp://a:@h:1", PoolAddress(Endpoint("h", 1), "a", "")),
        ("stratum+tcp://a@[::1]:65535", PoolAddress(Endpoint("::1", 65535), "a", "x")),
        (
            {"url": "stratum+tcp://h:1", "user": "a/b@c", "password": "p:w"},
            PoolAddress(Endpoint("h", 1), "a/b@c", "p:w"),
        ),
        ({"url": "stratum+tcp://h:1", "user": "a"}, PoolAddress(Endpoint("h", 1), "a", "x")),
    ],
)
def test_how_a_pool_is_written(url: object, expected: PoolAddress) -> None:
    assert pool(url) == expected


@pytest.mark.parametrize(
    "given",
    [
        "http://a:b@h:1",
        "stratum+tcp://h:1",  # nobody
        "stratum+tcp://:b@h:1",
        "stratum+tcp://a:b@h",
        "stratum+tcp://a:b@h:0",
        "stratum+tcp://a:b@h:65536",
        "stratum+tcp://a:b@h:١",
        "stratum+tcp://a/b:c@h:1",
        "stratum+tcp://a@b:c@h:1",
        "stratum+tcp://a:%zz@h:1",
        "stratum+tcp://a:%ff@h:1",
        "stratum+tcp://a:b@h..example:1",  # such a name ends asyncio with an error that is no OSError
        "stratum+tcp://a:b@" + "h" * 64 + ":1",
        "stratum+tcp://a:b@h:1/path",
        "stratum+tcp://a:b@[::g]:1",
        "stratum+tcp://a:b@[::1%25lo]:1",
        "stratum+tcp://a%0A:b@h:1",
        "stratum+tcp://a:b@h:1\n",
        {"url": "stratum+tcp://a:b@h:1", "user": "c"},
        {"url": "stratum+tcp://h:1"},
        {"url": "stratum+tcp://h:1", "user": "a", "pass": "b"},
        {"user": "a"},
        None,
        3333,
    ],
)
def test_what_is_no_pool(given: object) -> None:
    with pytest.raises(ValueError, match=r"^Coin coin: "):
        pool(given)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"algorithm": "yespower"}, "one of sha256d, scrypt, neoscrypt, ethash"),
        ({"algorithm": None}, "one of sha256d"),
        ({"symbol": "L/C"}, "1 to 12 letters and digits"),
        ({"pools": []}, "a list of 1 to 32"),
        ({"pools": POOL["pools"][0]}, "a list of 1 to 32"),
        ({"pools": None}, "give one of the two"),
        ({"node": NODE["node"]}, "give one of the two"),
        ({"address": NODE["address"]}, "an address is for a node"),
        ({"rules": ["segwit"]}, "rules are for a node"),
        ({"fee": 1.0}, "as text such as"),
        ({"fee": "100.1"}, "from '0' to '100'"),
        ({"fee": "-1"}, "from '0' to '100'"),
        ({"fee": 10**5000}, "from '0' to '100'"),
        ({"fee": True}, "as text"),
        ({"fee": Decimal("NaN")}, "as text"),
        ({"block_time": 0}, "1 to 86400"),
        ({"block_time": 86401}, "1 to 86400"),
        ({"block_time": "150"}, "1 to 86400"),
        ({"block_time": True}, "1 to 86400"),
        ({"dialect": "nicehash"}, "the dialect of scrypt is 'bitcoin'"),
        ({"epoch_length": 30_000}, "for ethash"),
        ({"pool": []}, r"keys among symbol.*\. Did you mean pools\?$"),
        ({"zebra": []}, r"keys among symbol.*epoch_length\.$"),
    ],
)
def test_what_a_coin_cannot_be(changes: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(POOL, **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"address": None}, "the address that its blocks pay to"),
        ({"node": "127.0.0.1:9332"}, "a node is 'http://"),
        ({"node": "stratum+tcp://a:b@127.0.0.1:9332"}, "a node is 'http://"),
        ({"rules": "segwit"}, "a list of at most 16 names"),
        ({"rules": [1]}, "a list of at most 16 names"),
    ],
)
def test_what_a_node_needs(changes: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(NODE, **changes)


@pytest.mark.parametrize("name", ["", "Litecoin", "lite_coin", "x" * 33, "most-profitable", 7, "coin\n"])
def test_what_a_coin_cannot_be_called(name: object) -> None:
    with pytest.raises(ValueError, match="A coin's name"):
        read_coins({name: POOL})


@needs_kernels
def test_a_node_mines_no_ethash() -> None:
    with pytest.raises(ValueError, match="for ethash give pools"):
        read(NODE, algorithm="ethash")


def test_an_algorithm_that_is_not_compiled_comes_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coins, "ALGORITHMS", {})
    with pytest.raises(ValueError, match="install a C compiler"):
        read(POOL, algorithm="neoscrypt")


@needs_kernels
def test_ethash_speaks_nicehash_unless_told() -> None:
    assert read(ETHASH).dialect == "nicehash"
    assert read(ETHASH, dialect="getwork").dialect == "getwork"


@needs_kernels
def test_ethereum_classic_has_longer_epochs() -> None:
    assert (read(ETHASH).epoch_length, read(ETHASH, epoch_length=60_000).epoch_length) == (30_000, 60_000)


def test_only_litecoin_asks_for_mweb() -> None:
    assert read(NODE, symbol="LTC").rules == ("segwit", "mweb")
    assert read(NODE, symbol="BTC", algorithm="sha256d").rules == ("segwit",)
    assert read(NODE, rules=[]).rules == ()


def test_a_fee_is_decimal() -> None:
    assert [read(POOL, fee=fee).fee for fee in ("1.5", 2, Decimal("0.25"), "100")] == [
        Decimal("1.5"),
        2,
        Decimal("0.25"),
        100,
    ]


@pytest.mark.parametrize(("block_time", "poll"), [(1, 1), (60, 1), (150, 1), (600, 6), (86400, 10)])
def test_miners_poll_once_in_a_hundredth_of_the_block_time(block_time: int, poll: int) -> None:
    assert read(POOL, block_time=block_time).poll == poll


@pytest.mark.parametrize("entry", [POOL, NODE])
def test_no_password_is_shown(entry: dict[str, t.Any]) -> None:
    assert SECRET not in f"{read(entry)!r} {read(entry)}"


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(max_size=20),
    st.binary(max_size=8),
    st.sampled_from([SECRET, f"{SECRET}@", f"stratum+tcp://a:{SECRET}", f"stratum+tcp://u:{SECRET}@h:x"]),
    st.sampled_from(
        [f"stratum+tcp://u:{SECRET}/@h:1", f"http://u:p@{SECRET}@h:1/", f"http://[{SECRET}@h:1/"]
    ),
    st.from_regex(
        r"(stratum\+(tcp|ssl)|http)://([a-z%2F.]{1,9}(:[^ ]{0,9})?@)?[a-z.\[\]:-]{1,9}:[0-9]{1,6}/?"
    ),
)
THINGS = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(VALUES.filter(lambda value: isinstance(value, str)), inner, max_size=3)
        | st.fixed_dictionaries({"url": inner, "user": inner, "password": inner})
    ),
    max_leaves=8,
)


def refusal(given: object) -> ValueError | None:
    try:
        read_coins(given)
    except ValueError as error:
        return error
    return None


@given(things=THINGS)
def test_whatever_is_given_only_a_value_error_comes(things: object) -> None:
    assert SECRET not in str(refusal(things))


@given(
    entry=st.sampled_from([POOL, NODE, ETHASH]),
    changes=st.dictionaries(
        st.sampled_from([*POOL, *NODE, "dialect", "epoch_length", "rules"]), THINGS, max_size=3
    ),
)
def test_whatever_a_coin_is_given_its_error_is_a_sentence_without_it(
    entry: dict[str, t.Any], changes: dict[str, t.Any]
) -> None:
    error = refusal({"coin": entry | changes})
    if error is not None:
        assert str(error).startswith("Coin coin: ")
        assert SECRET not in str(error)
        assert error.__context__ is None  # whose text might


def test_a_worker_does_not_show_its_password() -> None:
    assert SECRET not in repr(Worker("site.1", SECRET))
