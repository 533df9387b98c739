"""The page's words, gifts and choices of tickets in Node, beside Python's."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nodes import LETTERS, WALLET, WALLETS, WORDS, Case, Node, PageRefused

from miner.errors import NotEnoughTickets, WalletError, WrongWords
from miner.tokens import DENOMINATIONS, b64url
from miner.wallet.seed import from_words, to_words
from miner.wallet.selection import choose, make
from miner.wallet.transfer import PREFIX, decode_tickets, encode_tickets

# Words


@given(seed=st.binary(min_size=32, max_size=32))
@settings(deadline=None)
def test_words_are_those_of_python_both_ways(word_node, seed):
    spelt = to_words(seed)
    assert word_node("toWords", seed.hex()) == spelt
    assert word_node("fromWords", spelt) == seed.hex()


@WALLETS
def test_a_masters_words_are_spelt_and_refused(word_node, case):
    assert word_node("toWords", case["master"]) == case["words"]
    for text in (case["words"], f"\n{case['words'].upper()} ", " ".join(["xyz"] * 12)):
        with pytest.raises(PageRefused, match="Never type them into a page") as refused:
            word_node("fromWords", text)
        assert refused.value.problem["code"] == "master-words"
        assert refused.value.tree[:2] == ["WrongWords", "WalletError"]


def test_spacing_and_case_of_words_do_not_matter(word_node):
    case = WALLET["cases"][0]
    assert (
        word_node("fromWords", f"  {case['site_words'].upper().replace(' ', chr(10))}\t") == case["site_seed"]
    )


def wrong(word_node: Node, text: str) -> Case:
    """Return the page's problem with `text`, whose message is Python's."""
    with pytest.raises(WrongWords) as ours:
        from_words(text)
    with pytest.raises(PageRefused) as theirs:
        word_node("fromWords", text)
    problem = theirs.value.problem
    if problem["code"] == "word-count":  # a page speaks of 24 words only
        assert str(ours.value).split(".")[0] == problem["detail"].split(";")[0].split(".")[0]
    else:
        assert problem["detail"] == str(ours.value)
    return problem


@given(place=st.integers(0, 23), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_misspelt_word_is_named_with_the_same_suggestion(word_node, place, data):
    spelt = WALLET["cases"][0]["site_words"].split()
    letters = "abcdefghijklmnopqrstuvwxyz"
    right = data.draw(st.sampled_from(WORDS))
    at = data.draw(st.integers(0, len(right)))
    mistake = data.draw(
        st.sampled_from([right[:at] + right[at + 1 :], right[::-1], right[at:] + right[:at], ""])
    )
    word = (mistake[:at] + data.draw(st.text(letters, max_size=3)) + mistake[at:]) or "q"
    if word in WORDS:
        return
    problem = wrong(word_node, " ".join([*spelt[:place], word, *spelt[place + 1 :]]))
    assert (problem["code"], problem["values"]["position"], problem["values"]["word"]) == (
        "unknown-word",
        place + 1,
        word,
    )


@pytest.mark.parametrize("word", ["x", "zzzzzzzzzzz", "äöü", "🦊", "0", "y" * 100_000])
def test_a_word_like_no_other_has_no_suggestion(word_node, word):
    spelt = WALLET["cases"][0]["site_words"].split()
    problem = wrong(word_node, " ".join([word, *spelt[1:]]))
    assert problem["values"]["close"] == ""


@pytest.mark.parametrize("count", [0, 1, 11, 13, 23, 25, 48])
def test_missing_words_are_noticed(word_node, count):
    spelt = (WALLET["cases"][0]["site_words"].split() * 2)[:count]
    problem = wrong(word_node, " ".join(spelt))
    assert (problem["code"], problem["values"]) == ("word-count", {"n": count})


@given(st.lists(st.sampled_from(WORDS), min_size=24, max_size=24))
@settings(max_examples=60, deadline=None)
def test_words_that_do_not_belong_together_are_noticed(word_node, spelt):
    text = " ".join(spelt)
    try:
        seed = from_words(text)
    except WrongWords:
        assert wrong(word_node, text)["code"] == "words-checksum"
    else:
        assert word_node("fromWords", text) == seed.hex()


# Choosing


@dataclasses.dataclass(frozen=True)
class Coin:
    value: int
    redeem_until: int
    id: int


purses = st.lists(st.tuples(st.sampled_from(DENOMINATIONS[:7]), st.integers(0, 5)), max_size=30) | st.lists(
    st.tuples(st.sampled_from(DENOMINATIONS), st.integers(0, 3)), max_size=90
)


@given(
    purse=purses,
    share=st.floats(0, 1.05),
    max_inputs=st.sampled_from([1, 3, 8, 64]),
    least=st.sampled_from([0, 1, 3]),
    most=st.sampled_from([5, 8, 10]),
)
@settings(max_examples=600, deadline=None)
def test_tickets_are_chosen_as_python_chooses_them(plain_node, purse, share, max_inputs, least, most):
    coins = [Coin(value, until, i) for i, (value, until) in enumerate(purse)]
    amount = int(sum(value for value, _ in purse) * share)
    denominations = list(DENOMINATIONS[least:most])
    args = (purse, amount, {"maxInputs": max_inputs, "denominations": denominations})
    short = None
    try:
        wanted = choose(coins, amount, max_inputs=max_inputs, denominations=denominations)
    except NotEnoughTickets as error:
        short = (error.needed, error.available)
    if short is None:
        assert plain_node("choose", *args) == [[coin.id for coin in wanted.inputs], list(wanted.change)]
        return
    with pytest.raises(PageRefused) as refused:
        plain_node("choose", *args)
    values = refused.value.problem["values"]
    assert refused.value.tree[0] == "NotEnoughTickets"
    assert (values["needed"], values["available"]) == short


@pytest.mark.parametrize(
    ("purse", "amount", "code", "message"),
    [
        ([[4, 0]], 7, "not-enough-tickets", "mine 3 more"),
        ([[1, 0]] * 100, 65, "too-many-tickets", "join them"),
        ([[8, 0]], 3, "no-small-tickets", "choose another amount"),
    ],
)
def test_why_tickets_do_not_suffice_is_told_apart(plain_node, purse, amount, code, message):
    with pytest.raises(PageRefused, match=message) as refused:
        plain_node("choose", purse, amount, {"denominations": [2, 4, 8]})
    assert refused.value.problem["code"] == code


@pytest.mark.parametrize("amount", [-1, 1.5, "3", None, 2**53])
def test_what_is_no_amount_is_refused(plain_node, amount):
    with pytest.raises(PageRefused, match="whole number"):
        plain_node("choose", [[4, 0]], amount, {})


@given(value=st.integers(0, 100_000), denominations=st.sets(st.sampled_from(DENOMINATIONS), min_size=1))
@settings(deadline=None)
def test_values_are_made_as_python_makes_them(plain_node, value, denominations):
    try:
        wanted = make(value, list(denominations))
    except NotEnoughTickets:
        with pytest.raises(PageRefused, match="choose another amount"):
            plain_node("make", value, list(denominations))
    else:
        assert plain_node("make", value, list(denominations)) == wanted


# Gifts

ORIGINS = (
    "https://shop.example",
    "http://127.0.0.1:5000",
    "http://expyuzz4wqqyqhjn.onion",
    "http://[::1]:8080",
)


def tokens(count: int) -> list[bytes]:
    return [b"\x00\x02" + hashlib.sha512(str(i).encode()).digest() + bytes(288) for i in range(count)]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("count", [1, 3, 1000])
def test_gifts_are_those_of_python_both_ways(plain_node, origin, count):
    given_away = tokens(count)
    text = encode_tickets(origin, given_away)
    assert plain_node("encodeTickets", origin, [token.hex() for token in given_away]) == text
    assert plain_node("decodeTickets", text) == [origin, [token.hex() for token in given_away]]


def test_white_space_from_copying_does_not_matter(plain_node):
    text = encode_tickets(ORIGINS[0], tokens(2))
    broken = "\n".join(text[i : i + 70] for i in range(0, len(text), 70)) + " \t"
    assert plain_node("decodeTickets", broken) == plain_node("decodeTickets", text)


def gift_of(document: object) -> str:
    return PREFIX + b64url(document if isinstance(document, bytes) else json.dumps(document).encode())


TICKET = b64url(tokens(1)[0])
TWICE = {"origin": ORIGINS[0], "tickets": [TICKET, b64url(tokens(1)[0][:34] + bytes(32) + tokens(1)[0][66:])]}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "not-a-gift"),
        ("legal winner thank year", "not-a-gift"),
        (PREFIX.replace("1", "2") + "AAAA", "not-a-gift"),
        (PREFIX, "damaged-gift"),
        (encode_tickets(ORIGINS[0], tokens(2))[:-40], "damaged-gift"),
        (gift_of(b"\xff"), "damaged-gift"),
        (gift_of(b"\xef\xbb\xbf{}"), "damaged-gift"),
        (gift_of(None), "damaged-gift"),
        (gift_of([]), "damaged-gift"),
        (gift_of({"tickets": [TICKET]}), "damaged-gift"),
        (gift_of({"origin": ORIGINS[0]}), "damaged-gift"),
        (gift_of({"origin": ORIGINS[0], "tickets": []}), "damaged-gift"),
        (gift_of({"origin": ORIGINS[0], "tickets": "AAAA"}), "damaged-gift"),
        (gift_of({"origin": ORIGINS[0], "tickets": [7]}), "damaged-gift"),
        (gift_of({"origin": ORIGINS[0], "tickets": [TICKET[:-1]]}), "damaged-gift"),
        (gift_of({"origin": ORIGINS[0], "tickets": [TICKET + "A"]}), "damaged-gift"),
        (gift_of({"origin": ORIGINS[0], "tickets": ["B" + TICKET[1:]]}), "damaged-gift"),
        (gift_of({"origin": ORIGINS[0], "tickets": [TICKET] * 1001}), "damaged-gift"),
        (gift_of({"origin": "shop.example", "tickets": [TICKET]}), "damaged-gift"),
        (gift_of({"origin": "ftp://shop.example", "tickets": [TICKET]}), "damaged-gift"),
        (gift_of({"origin": "https:$/shop.example", "tickets": [TICKET]}), "damaged-gift"),
        (gift_of({"origin": "https:shop.example", "tickets": [TICKET]}), "damaged-gift"),
        (gift_of({"origin": "https://", "tickets": [TICKET]}), "damaged-gift"),
        (gift_of({"origin": "javascript:alert(1)", "tickets": [TICKET]}), "damaged-gift"),
        (gift_of({"origin": ORIGINS[0], "tickets": [TICKET, TICKET]}), "repeated-ticket"),
        (gift_of({**TWICE, "tickets": TWICE["tickets"][::-1]}), "repeated-ticket"),
    ],
)
def test_what_is_no_gift_is_refused_by_both(plain_node, text, code):
    with pytest.raises(WalletError):
        decode_tickets(text)
    with pytest.raises(PageRefused) as refused:
        plain_node("decodeTickets", text)
    assert refused.value.problem["code"] == code
    assert refused.value.tree[0] == "WalletError"


@pytest.mark.parametrize(
    "origin",
    ["https://Shop.Example/", "http://shop.example:80", "https://u:p@shop.example/x?y#z", "HTTPS://a.b:443"],
)
def test_an_origin_is_read_as_python_reads_it(plain_node, origin):
    text = gift_of({"origin": origin, "tickets": [TICKET], "more": True})
    assert plain_node("decodeTickets", text)[0] == decode_tickets(text)[0]


@given(place=st.integers(0, 10_000), letter=st.sampled_from(LETTERS))
@settings(max_examples=200, deadline=None)
def test_a_changed_letter_is_read_by_both_or_by_neither(plain_node, place, letter):
    text = encode_tickets(ORIGINS[0], tokens(2))
    # Of what is no clean address, browsers and Python think differently; a wallet writes none.
    origin_ends = len(PREFIX) + len(b64url(f'{{"origin":"{ORIGINS[0]}"'.encode()))
    at = origin_ends + place % (len(text) - origin_ends)
    changed = text[:at] + letter + text[at + 1 :]
    try:
        origin, found = decode_tickets(changed)
    except WalletError:
        with pytest.raises(PageRefused):
            plain_node("decodeTickets", changed)
    else:
        assert plain_node("decodeTickets", changed) == [origin, [token.to_bytes().hex() for token in found]]
