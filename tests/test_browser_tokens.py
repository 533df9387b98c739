"""The page's tickets in Node: the vectors that test Python, and Python itself on whatever hypothesis thinks of."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import hmac
import itertools
import json
import pathlib
import shutil
import subprocess
import typing as t

import pytest
from conftest import missing
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fake_keys import private_key, sign
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mnemonic import Mnemonic

from miner.errors import UNDECIDED, NotEnoughTickets, SiteRefused, WalletError, WrongWords
from miner.tokens import (
    DENOMINATIONS,
    CodecError,
    Token,
    TokenChallenge,
    TokenRequest,
    b64url,
    blind,
    finalize,
    hex_bytes,
    public_key_from_spki,
    spki_from_public_key,
    token_key_id,
    unb64url,
    verify,
)
from miner.wallet.seed import from_words, seed_id, ticket_secrets, to_words
from miner.wallet.selection import choose, make
from miner.wallet.transfer import PREFIX, decode_tickets, encode_tickets

HERE = pathlib.Path(__file__).parent
DRIVER = HERE / "browser" / "tokens.mjs"
WORDS = Mnemonic("english").wordlist
hexed = bytes.fromhex

Case = dict[str, t.Any]
T = t.TypeVar("T")


class PageRefused(Exception):
    """The page threw; `problem` is what it would tell the views, `tree` the names of its classes."""

    def __init__(self, problem: Case, tree: list[str]) -> None:
        super().__init__(f"{tree[0] if tree else 'A value'}: {problem}")
        self.problem = problem
        self.tree = tree


class Page:
    """Node with the page's modules."""

    def __init__(self, context: str) -> None:
        node = shutil.which("node")
        if node is None:
            missing("needs Node: apt-get install nodejs")
        assert node is not None
        self._process = subprocess.Popen(
            [node, DRIVER, context], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, operation: str, *args: object) -> t.Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps([operation, *args]) + "\n")
        stdin.flush()
        answer = json.loads(stdout.readline())
        if "problem" in answer:
            raise PageRefused(answer["problem"], answer["tree"])
        return answer.get("result")

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module", params=["secure", "insecure"])
def page(request):
    """Both ways to hash: with crypto.subtle, and without."""
    page = Page(request.param)
    yield page
    page.close()


@pytest.fixture(scope="module")
def plain():
    """For what hashes nothing."""
    page = Page("secure")
    yield page
    page.close()


@pytest.fixture(scope="module")
def words(page, tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "english.txt"
    path.write_text("\n".join(WORDS) + "\n")
    assert page("wordList", str(path)) == 2048
    return page


def vectors(name: str) -> Case:
    return t.cast(Case, json.loads((HERE / "vectors" / f"{name}.json").read_text()))


def cases(name: str, having: str) -> t.Any:
    found = [case for case in vectors(name)["cases"] if having in case]
    return pytest.mark.parametrize("case", found, ids=[case.get("id", "") for case in found])


WALLET = vectors("wallet")
WALLETS = pytest.mark.parametrize("case", WALLET["cases"], ids=lambda case: case["issuer_name"])


@functools.cache
def keys() -> list[rsa.RSAPrivateKey]:
    return [private_key(1), private_key(2), private_key(4)]


def spki_of(key: rsa.RSAPrivateKey | rsa.RSAPublicKey) -> str:
    public = key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key
    return spki_from_public_key(public).hex()


def same(page: Page, python: t.Callable[[], bytes | str], operation: str, *args: object) -> None:
    """Assert that both answer the same, or refuse for the same cause."""
    cause = None
    try:
        wanted = python()
    except CodecError as error:
        cause = error.cause
    if cause is None:
        assert page(operation, *args) == (wanted.hex() if isinstance(wanted, bytes) else wanted)
        return
    with pytest.raises(PageRefused) as refused:
        page(operation, *args)
    assert (refused.value.problem["code"], refused.value.problem["cause"]) == ("site-protocol", cause)


# ---- hashes


@pytest.mark.parametrize("context", ["secure", "insecure"])
def test_each_way_to_hash_is_the_one_meant(context):
    page = Page(context)
    assert page("secure") is (context == "secure")
    page.close()


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
def test_hashes_of_every_length(page, name):
    for size in (*range(300), 4095, 100_000):
        data = bytes(i * 7 % 251 for i in range(size))
        assert page("hash", name, data.hex()) == hashlib.new(name, data).hexdigest()


@given(data=st.binary(max_size=1000), name=st.sampled_from(["sha256", "sha384", "sha512"]))
@settings(deadline=None)
def test_hashes(page, data, name):
    assert page("hash", name, data.hex()) == hashlib.new(name, data).hexdigest()


@given(key=st.binary(max_size=300), data=st.binary(max_size=300))
@example(key=b"k" * 128, data=b"")
@example(key=b"k" * 129, data=b"")
@settings(deadline=None)
def test_hmac_sha512(page, key, data):
    assert page("hmac", key.hex(), data.hex()) == hmac.digest(key, data, "sha512").hex()


# ---- RFC 9474, 9577, 9578


def numbers_of(case: Case) -> dict[str, str]:
    return {"n": case["n"], "e": case["e"]}


@cases("rfc9474", "blind_sig")
def test_rfc9474_blinds(page, case):
    n, inverse = int(case["n"], 16), int(case["inv"], 16)
    made = page("blind", numbers_of(case), case["prepared_msg"], case["salt"], str(pow(inverse, -1, n)))
    assert made == [case["blinded_msg"], str(inverse)]


@cases("rfc9474", "blind_sig")
def test_rfc9474_finalizes(page, case):
    inverse = str(int(case["inv"], 16))
    made = page("finalize", numbers_of(case), case["prepared_msg"], case["blind_sig"], inverse)
    assert made == case["sig"]


@cases("rfc9474", "blind_sig")
def test_rfc9474_verifies_a_salt_of_48_bytes_only(page, case):
    genuine = page("verify", numbers_of(case), case["prepared_msg"], case["sig"])
    assert genuine is (case["salt_length"] == 48)


@cases("rfc9577", "token_authenticator_input")
def test_rfc9577_authenticator_input(page, case):
    digest = hashlib.sha256(hexed(case["derived_token_challenge_hex"])).hexdigest()
    made = page("tokenInput", case["nonce"], digest, case["token_key_id"])
    assert made == case["token_authenticator_input"]


def test_rfc9577_challenge_with_an_issuer_only(page):
    [case] = (
        case
        for case in vectors("rfc9577")["cases"]
        if case.get("derived_token_challenge_hex") and not case["redemption_context"] + case["origin_info"]
    )
    name = hexed(case["issuer_name"]).decode()
    wanted = hashlib.sha256(hexed(case["derived_token_challenge_hex"])).hexdigest()
    assert page("challengeDigest", name) == wanted


@cases("rfc9578_type2", "skS_pem")
def test_rfc9578_key_id(page, case):
    key = load_pem_private_key(case["skS_pem"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert page("keyId", case["pkS_spki_hex"]) == case["derived"]["token_key_id_hex"]
    assert int(page("publicKey", case["pkS_spki_hex"]), 16) == key.public_key().public_numbers().n


@cases("rfc9578_type2", "skS_pem")
def test_rfc9578_issuance(page, case):
    derived, spki = case["derived"], case["pkS_spki_hex"]
    r = str(int(case["blind_hex"], 16))
    message = page(
        "tokenInput", case["nonce_hex"], derived["challenge_digest_hex"], derived["token_key_id_hex"]
    )
    assert message == derived["token_input_hex"]
    blinded, inverse = page("blind", spki, message, case["salt_hex"], r)
    request = page("tokenRequest", derived["token_key_id_hex"], blinded)
    assert request == case["token_request_hex"]
    authenticator = page("finalize", spki, message, case["token_response_hex"], inverse)
    assert authenticator == derived["authenticator_hex"]
    assert page("encodeToken", message, authenticator) == case["token_hex"]
    assert page("verify", spki, message, authenticator)


# ---- what a wallet derives


@WALLETS
def test_ticket_secrets_match_the_published_ones(page, case):
    for ticket in case["tickets"]:
        made = page("ticketSecrets", case["site_seed"], WALLET["key_id"], WALLET["spki"], ticket["counter"])
        assert made == [ticket["nonce"], ticket["salt"], str(int(ticket["r"], 16))]


@WALLETS
def test_blinded_messages_match_the_published_ones(page, case):
    assert page("challengeDigest", case["issuer_name"]) == case["challenge_digest"]
    for ticket in case["tickets"]:
        message = page("tokenInput", ticket["nonce"], case["challenge_digest"], WALLET["key_id"])
        assert message == ticket["message"]
        r = str(int(ticket["r"], 16))
        blinded, _ = page("blind", WALLET["spki"], message, ticket["salt"], r)
        assert blinded == ticket["blinded_message"]


@WALLETS
def test_a_sites_words_spell_its_seed(words, case):
    assert words("fromWords", case["site_words"]) == case["site_seed"]
    assert words("toWords", case["site_seed"]) == case["site_words"]


@given(
    seed=st.binary(min_size=32, max_size=32),
    counter=st.integers(0, 2**64 - 1),
    i=st.integers(0, 2),
    issuer=st.text(),
)
@settings(max_examples=40, deadline=None)
def test_tickets_are_those_of_python(page, seed, counter, i, issuer):
    key = keys()[i]
    public, spki, name = key.public_key(), spki_of(key), f"{issuer.encode(errors='ignore').decode()}."
    key_id = token_key_id(public)
    secrets = ticket_secrets(seed, public, counter)
    made = page("ticketSecrets", seed.hex(), key_id.hex(), spki, str(counter))
    assert made == [secrets.nonce.hex(), secrets.salt.hex(), str(secrets.r)]

    digest = TokenChallenge(name).digest
    assert page("challengeDigest", name) == digest.hex()
    message = Token.input(secrets.nonce, digest, key_id)
    assert page("tokenInput", secrets.nonce.hex(), digest.hex(), key_id.hex()) == message.hex()
    blinded, inverse = blind(public, message, salt=secrets.salt, r=secrets.r)
    assert page("blind", spki, message.hex(), secrets.salt.hex(), str(secrets.r)) == [
        blinded.hex(),
        str(inverse),
    ]
    assert (
        page("tokenRequest", key_id.hex(), blinded.hex())
        == TokenRequest(key_id[-1], blinded).to_bytes().hex()
    )

    signature = sign(key, blinded)
    authenticator = finalize(public, message, signature, inverse)
    assert page("finalize", spki, message.hex(), signature.hex(), str(inverse)) == authenticator.hex()
    token = Token(secrets.nonce, digest, key_id, authenticator).to_bytes()
    assert page("encodeToken", message.hex(), authenticator.hex()) == token.hex()
    assert page("decodeToken", token.hex()) == {
        "nonce": secrets.nonce.hex(),
        "digest": digest.hex(),
        "keyId": key_id.hex(),
        "authenticator": authenticator.hex(),
        "input": message.hex(),
    }
    assert page("seedId", seed.hex()) == seed_id(seed).hex()


# ---- signatures that are none


@st.composite
def forged(draw):
    """A message, and a signature on it by a made-up rule."""
    message = draw(st.binary(max_size=120))
    key = keys()[draw(st.integers(0, 2))]
    n, d = key.public_key().public_numbers().n, key.private_numbers().d
    kind = draw(
        st.sampled_from(["genuine", "flipped", "salt", "raw", "hash", "short", "long", "plus n", "huge"])
    )
    salt = draw(st.sampled_from([0, 1, 20, 47, 49, 64, 206])) if kind == "salt" else 48
    digest = hashes.SHA256() if kind == "hash" else hashes.SHA384()
    signature = bytearray(key.sign(message, padding.PSS(padding.MGF1(digest), salt), digest))
    value = int.from_bytes(signature, "big")
    if kind == "flipped":
        signature[draw(st.integers(0, 255))] ^= 1 << draw(st.integers(0, 7))
    elif kind == "raw":
        # An encoding that is off by a little: the padding, the trailer, the bits that have to be clear.
        encoded = bytearray(pow(value, 65537, n).to_bytes(256, "big"))
        encoded[draw(st.sampled_from([0, 1, 100, 158, 207, 254, 255]))] ^= 1 << draw(st.integers(0, 7))
        signature = bytearray(pow(int.from_bytes(encoded, "big") % n, d, n).to_bytes(256, "big"))
    elif kind == "short":
        del signature[draw(st.integers(0, 255))]
    elif kind == "long":
        signature.insert(0, 0)
    elif kind == "plus n" and value + n < 2**2048:
        signature = bytearray((value + n).to_bytes(256, "big"))
    elif kind == "huge":
        signature = bytearray(b"\xff" * 256)
    return key.public_key(), message, bytes(signature)


@given(forged())
@settings(max_examples=150, deadline=None)
def test_both_verify_the_same_signatures(page, case):
    public, message, signature = case
    wanted = verify(public, message, signature)
    assert page("verify", spki_of(public), message.hex(), signature.hex()) is wanted


@given(forged())
@settings(max_examples=150, deadline=None)
def test_both_finalize_the_same_signatures(page, case):
    public, message, signature = case
    args = (spki_of(public), message.hex(), signature.hex(), "1")
    same(page, lambda: finalize(public, message, signature, 1), "finalize", *args)


def test_an_encoding_without_padding_is_no_signature(page):
    """Nothing but zeros before the hash: there is no place where the salt would begin."""
    key = private_key(1)
    digest = hashlib.sha384(b"any").digest()
    mask = b"".join(hashlib.sha384(digest + bytes((0, 0, 0, i))).digest() for i in range(5))[:207]
    encoded = bytes((mask[0] & 0x7F,)) + mask[1:] + digest + b"\xbc"
    n, d = key.public_key().public_numbers().n, key.private_numbers().d
    signature = pow(int.from_bytes(encoded, "big"), d, n).to_bytes(256, "big")
    assert int.from_bytes(encoded, "big") < n
    assert page("verify", spki_of(key), b"any".hex(), signature.hex()) is False
    same(
        page,
        lambda: finalize(key.public_key(), b"any", signature, 1),
        "finalize",
        spki_of(key),
        "",
        signature.hex(),
        "1",
    )


def test_a_blind_signature_above_the_modulus_is_refused_whatever_it_hides(page):
    key = private_key(1)
    public, n = key.public_key(), key.public_key().public_numbers().n
    message = b"a message"
    values = (
        int.from_bytes(
            key.sign(message, padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384()), "big"
        )
        for _ in itertools.count()
    )
    value = next(value for value in values if value + n < 2**2048)
    args = (spki_of(public), message.hex())
    assert page("finalize", *args, value.to_bytes(256, "big").hex(), "1")
    with pytest.raises(PageRefused, match="bad-signature"):
        page("finalize", *args, (value + n).to_bytes(256, "big").hex(), "1")
    assert not page("verify", *args, (value + n).to_bytes(256, "big").hex())


@pytest.mark.parametrize("factor", ["zero", "n", "above", "below", "p"])
def test_a_factor_without_inverse_is_refused(plain, factor):
    key = private_key(1)
    n, p = key.public_key().public_numbers().n, key.private_numbers().p
    r = {"zero": 0, "n": n, "above": n + 2, "below": -2, "p": p}[factor]
    with pytest.raises(ValueError, match="invertible"):
        blind(key.public_key(), b"", salt=bytes(48), r=r)
    with pytest.raises(PageRefused, match="invertible"):
        plain("blind", spki_of(key), "", bytes(48).hex(), str(r))


# ---- encodings

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
almost_base64 = st.one_of(
    st.text(LETTERS, max_size=12), st.text(LETTERS + "+/= \n\x00é٣\ud800", max_size=12), st.text(max_size=6)
)
almost_hex = st.one_of(
    st.text("0123456789abcdef", max_size=12),
    st.text("0123456789abcdefABCDEF \nx٣", max_size=12),
    st.text(max_size=6),
)
sizes = st.one_of(st.none(), st.integers(0, 9))
anything = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.lists(st.text(max_size=2), max_size=2))


@given(text=almost_base64 | anything, size=sizes)
@settings(max_examples=600, deadline=None)
def test_base64url_is_read_as_python_reads_it(plain, text, size):
    same(plain, lambda: unb64url(text, size=size), "fromBase64url", text, size)


@given(text=almost_hex | anything, size=sizes)
@settings(max_examples=300, deadline=None)
def test_hex_is_read_as_python_reads_it(plain, text, size):
    same(plain, lambda: hex_bytes(text, size=size), "fromHex", text, size)


@given(data=st.binary(max_size=400))
@settings(deadline=None)
def test_byte_strings_are_written_as_python_writes_them(plain, data):
    assert plain("toBase64url", data.hex()) == b64url(data)
    assert plain("toHex", data.hex()) == data.hex()
    assert plain("number", "01" + data.hex(), len(data) + 1) == "01" + data.hex()


@pytest.mark.parametrize("last", LETTERS)
@pytest.mark.parametrize("before", ["", "A", "AA", "AAA", "AAAA"])
def test_every_last_letter(plain, before, last):
    same(plain, lambda: unb64url(before + last), "fromBase64url", before + last)


def test_megabytes_are_read(plain):
    data = bytes(range(256)) * 4096
    assert plain("fromBase64url", b64url(data)) == data.hex()
    assert plain("fromHex", data.hex()) == data.hex()


@given(data=st.binary(min_size=1, max_size=9), other=st.binary(max_size=9))
@settings(deadline=None)
def test_equality(plain, data, other):
    assert plain("equal", data.hex(), data.hex())
    assert plain("equal", data.hex(), other.hex()) is (data == other)
    assert not plain("equal", data.hex(), data.hex() + "00")


def test_a_number_that_is_too_large_is_refused(plain):
    with pytest.raises(PageRefused):
        plain("number", "010000", 2)


SPKI = hexed(WALLET["spki"])


@st.composite
def spoilt_keys(draw):
    spki = bytearray(SPKI)
    place = draw(st.integers(0, len(spki) - 1))
    match draw(st.sampled_from(["flip", "insert", "delete", "end", "cut"])):
        case "flip":
            spki[place] ^= 1 << draw(st.integers(0, 7))
        case "insert":
            spki.insert(place, draw(st.integers(0, 255)))
        case "delete":
            del spki[place]
        case "end":
            spki += draw(st.binary(max_size=3))
        case "cut":
            del spki[place:]
    return bytes(spki)


def same_key(page: Page, spki: bytes) -> None:
    same(page, lambda: f"{public_key_from_spki(spki).public_numbers().n:x}", "publicKey", spki.hex())


@given(spoilt_keys())
@settings(max_examples=400, deadline=None)
def test_keys_are_read_as_python_reads_them(plain, spki):
    same_key(plain, spki)


@pytest.mark.parametrize("place", [*range(90), 340, *range(len(SPKI) - 6, len(SPKI))])
def test_every_bit_around_a_modulus_matters(plain, place):
    for bit in range(8):
        spki = bytearray(SPKI)
        spki[place] ^= 1 << bit
        same_key(plain, bytes(spki))


def test_keys_of_another_kind_are_refused(plain):
    for size, exponent in ((3072, 65537), (2048, 3)):
        public = rsa.generate_private_key(exponent, size).public_key()
        with pytest.raises(PageRefused, match="bad-key"):
            plain("publicKey", spki_of(public))


@pytest.mark.parametrize("size", [0, 353, 355])
def test_a_token_of_another_size_is_refused(plain, size):
    same(plain, lambda: Token.from_bytes(bytes(size)), "decodeToken", bytes(size).hex())


@pytest.mark.parametrize("token_type", ["0000", "0001", "0003", "0102", "0202"])
def test_a_token_of_another_type_is_refused(plain, token_type):
    token = hexed(token_type) + bytes(352)
    same(plain, lambda: Token.from_bytes(token), "decodeToken", token.hex())


@pytest.mark.parametrize(
    ("operation", "sizes"),
    [
        ("tokenInput", (31, 32, 32)),
        ("tokenInput", (32, 33, 32)),
        ("tokenInput", (32, 32, 0)),
        ("encodeToken", (97, 256)),
        ("encodeToken", (98, 255)),
        ("tokenRequest", (31, 256)),
        ("tokenRequest", (32, 257)),
    ],
)
def test_parts_of_another_size_are_refused(plain, operation, sizes):
    with pytest.raises(PageRefused, match="wrong-size"):
        plain(operation, *("00" * size for size in sizes))


@pytest.mark.parametrize("name", ["", "x" * 65_536])
def test_an_issuer_needs_a_name_that_fits(plain, name):
    same(plain, lambda: TokenChallenge(name).digest, "challengeDigest", name)


def test_the_longest_name_of_an_issuer_fits(plain):
    same(plain, lambda: TokenChallenge("é" * 32_767 + "x").digest, "challengeDigest", "é" * 32_767 + "x")


# ---- words


@given(seed=st.binary(min_size=32, max_size=32))
@settings(deadline=None)
def test_words_are_those_of_python_both_ways(words, seed):
    spelt = to_words(seed)
    assert words("toWords", seed.hex()) == spelt
    assert words("fromWords", spelt) == seed.hex()


@WALLETS
def test_a_masters_words_are_spelt_and_refused(words, case):
    assert words("toWords", case["master"]) == case["words"]
    for text in (case["words"], f"\n{case['words'].upper()} ", " ".join(["xyz"] * 12)):
        with pytest.raises(PageRefused, match="Never type them into a page") as refused:
            words("fromWords", text)
        assert refused.value.problem["code"] == "master-words"
        assert refused.value.tree[:2] == ["WrongWords", "WalletError"]


def test_spacing_and_case_of_words_do_not_matter(words):
    case = WALLET["cases"][0]
    assert words("fromWords", f"  {case['site_words'].upper().replace(' ', chr(10))}\t") == case["site_seed"]


def wrong(words: Page, text: str) -> Case:
    """Return the page's problem with `text`, whose message is Python's."""
    with pytest.raises(WrongWords) as ours:
        from_words(text)
    with pytest.raises(PageRefused) as theirs:
        words("fromWords", text)
    problem = theirs.value.problem
    if problem["code"] == "word-count":  # a page speaks of 24 words only
        assert str(ours.value).split(".")[0] == problem["detail"].split(";")[0].split(".")[0]
    else:
        assert problem["detail"] == str(ours.value)
    return problem


@given(place=st.integers(0, 23), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_misspelt_word_is_named_with_the_same_suggestion(words, place, data):
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
    problem = wrong(words, " ".join([*spelt[:place], word, *spelt[place + 1 :]]))
    assert (problem["code"], problem["values"]["position"], problem["values"]["word"]) == (
        "unknown-word",
        place + 1,
        word,
    )


@pytest.mark.parametrize("word", ["x", "zzzzzzzzzzz", "äöü", "🦊", "0", "y" * 100_000])
def test_a_word_like_no_other_has_no_suggestion(words, word):
    spelt = WALLET["cases"][0]["site_words"].split()
    problem = wrong(words, " ".join([word, *spelt[1:]]))
    assert problem["values"]["close"] == ""


@pytest.mark.parametrize("count", [0, 1, 11, 13, 23, 25, 48])
def test_missing_words_are_noticed(words, count):
    spelt = (WALLET["cases"][0]["site_words"].split() * 2)[:count]
    problem = wrong(words, " ".join(spelt))
    assert (problem["code"], problem["values"]) == ("word-count", {"n": count})


@given(st.lists(st.sampled_from(WORDS), min_size=24, max_size=24))
@settings(max_examples=60, deadline=None)
def test_words_that_do_not_belong_together_are_noticed(words, spelt):
    text = " ".join(spelt)
    try:
        seed = from_words(text)
    except WrongWords:
        assert wrong(words, text)["code"] == "words-checksum"
    else:
        assert words("fromWords", text) == seed.hex()


# ---- choosing


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
def test_tickets_are_chosen_as_python_chooses_them(plain, purse, share, max_inputs, least, most):
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
        assert plain("choose", *args) == [[coin.id for coin in wanted.inputs], list(wanted.change)]
        return
    with pytest.raises(PageRefused) as refused:
        plain("choose", *args)
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
def test_why_tickets_do_not_suffice_is_told_apart(plain, purse, amount, code, message):
    with pytest.raises(PageRefused, match=message) as refused:
        plain("choose", purse, amount, {"denominations": [2, 4, 8]})
    assert refused.value.problem["code"] == code


@pytest.mark.parametrize("amount", [-1, 1.5, "3", None, 2**53])
def test_what_is_no_amount_is_refused(plain, amount):
    with pytest.raises(PageRefused, match="whole number"):
        plain("choose", [[4, 0]], amount, {})


@given(value=st.integers(0, 100_000), denominations=st.sets(st.sampled_from(DENOMINATIONS), min_size=1))
@settings(deadline=None)
def test_values_are_made_as_python_makes_them(plain, value, denominations):
    try:
        wanted = make(value, list(denominations))
    except NotEnoughTickets:
        with pytest.raises(PageRefused, match="choose another amount"):
            plain("make", value, list(denominations))
    else:
        assert plain("make", value, list(denominations)) == wanted


# ---- gifts

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
def test_gifts_are_those_of_python_both_ways(plain, origin, count):
    given_away = tokens(count)
    text = encode_tickets(origin, given_away)
    assert plain("encodeTickets", origin, [token.hex() for token in given_away]) == text
    assert plain("decodeTickets", text) == [origin, [token.hex() for token in given_away]]


def test_white_space_from_copying_does_not_matter(plain):
    text = encode_tickets(ORIGINS[0], tokens(2))
    broken = "\n".join(text[i : i + 70] for i in range(0, len(text), 70)) + " \t"
    assert plain("decodeTickets", broken) == plain("decodeTickets", text)


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
        (gift_of({"origin": "javascript:alert(1)", "tickets": [TICKET]}), "damaged-gift"),
        (gift_of({"origin": ORIGINS[0], "tickets": [TICKET, TICKET]}), "repeated-ticket"),
        (gift_of({**TWICE, "tickets": TWICE["tickets"][::-1]}), "repeated-ticket"),
    ],
)
def test_what_is_no_gift_is_refused_by_both(plain, text, code):
    with pytest.raises(WalletError):
        decode_tickets(text)
    with pytest.raises(PageRefused) as refused:
        plain("decodeTickets", text)
    assert refused.value.problem["code"] == code
    assert refused.value.tree[0] == "WalletError"


@pytest.mark.parametrize(
    "origin",
    ["https://Shop.Example/", "http://shop.example:80", "https://u:p@shop.example/x?y#z", "HTTPS://a.b:443"],
)
def test_an_origin_is_read_as_python_reads_it(plain, origin):
    text = gift_of({"origin": origin, "tickets": [TICKET], "more": True})
    assert plain("decodeTickets", text)[0] == decode_tickets(text)[0]


@given(place=st.integers(0, 10_000), letter=st.sampled_from(LETTERS))
@settings(max_examples=200, deadline=None)
def test_a_changed_letter_is_read_by_both_or_by_neither(plain, place, letter):
    text = encode_tickets(ORIGINS[0], tokens(2))
    at = len(PREFIX) + place % (len(text) - len(PREFIX))
    changed = text[:at] + letter + text[at + 1 :]
    try:
        origin, found = decode_tickets(changed)
    except WalletError:
        with pytest.raises(PageRefused):
            plain("decodeTickets", changed)
    else:
        assert plain("decodeTickets", changed) == [origin, [token.to_bytes().hex() for token in found]]


# ---- exceptions

TREE = {
    "TicketMinerError": "Error",
    "SiteError": "TicketMinerError",
    "SiteUnreachable": "SiteError",
    "SiteRefused": "SiteError",
    "SiteProtocolError": "SiteError",
    "CodecError": "SiteProtocolError",
    "KeyMismatch": "SiteError",
    "ForeignRequest": "SiteError",
    "WalletError": "TicketMinerError",
    "NotEnoughTickets": "WalletError",
    "TicketsTaken": "WalletError",
    "WrongWords": "WalletError",
    "StorageRefused": "WalletError",
    "StorageFull": "WalletError",
    "PaymentFailed": "TicketMinerError",
    "AlreadyDelivered": "PaymentFailed",
    "EngineError": "TicketMinerError",
    "NoKernel": "EngineError",
    "OutOfMemory": "EngineError",
}


def test_the_tree_of_exceptions(plain):
    assert plain("tree") == TREE


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SiteUnreachable", "site-unreachable"),
        ("SiteRefused", "site-refused"),
        ("SiteProtocolError", "site-protocol"),
        ("CodecError", "site-protocol"),
        ("KeyMismatch", "key-mismatch"),
        ("ForeignRequest", "foreign-request"),
        ("WalletError", "wallet"),
        ("NotEnoughTickets", "not-enough-tickets"),
        ("TicketsTaken", "tickets-taken"),
        ("StorageRefused", "storage-refused"),
        ("StorageFull", "storage-full"),
        ("PaymentFailed", "payment-failed"),
        ("AlreadyDelivered", "already-delivered"),
        ("NoKernel", "no-kernel"),
        ("OutOfMemory", "out-of-memory"),
    ],
)
def test_codes_choose_the_translation(plain, name, code):
    assert plain("code", name) == code


def test_a_refusal_is_told_with_the_sites_cause(plain):
    with pytest.raises(PageRefused) as refused:
        plain("refuse", 409, "ticket-spent", "One is spent.", {"body": {"tickets": [0]}})
    assert refused.value.problem == {
        "code": "site-refused",
        "cause": "ticket-spent",
        "detail": "The site refused (ticket-spent): One is spent.",
        "values": {"detail": "One is spent."},
    }


@pytest.mark.parametrize(
    ("thrown", "detail"), [("TypeError", "Not ours."), ("a string", "a string"), (None, "null")]
)
def test_what_is_not_ours_is_unexpected(plain, thrown, detail):
    with pytest.raises(PageRefused) as refused:
        plain("raise", thrown)
    assert refused.value.problem == {"code": "unexpected", "detail": detail}


@pytest.mark.parametrize("cause", [*UNDECIDED, "ticket-spent", "http-400", "not-busy", "in-progress-not"])
def test_both_think_the_same_refusals_definite(plain, cause):
    for status, retry in itertools.product((400, 402, 404, 408, 409, 425, 429, 500, 503), (None, 0, 5)):
        assert plain("definite", status, cause, retry) is SiteRefused(status, cause, "", retry).definite


# ---- speed


def test_each_step_takes_few_milliseconds(page):
    key = private_key(1)
    public, spki = key.public_key(), spki_of(key)
    secrets = ticket_secrets(bytes(32), public, 0)
    message = Token.input(secrets.nonce, bytes(32), token_key_id(public))
    blinded, inverse = blind(public, message, salt=secrets.salt, r=secrets.r)
    signature = sign(key, blinded)
    finalized = finalize(public, message, signature, inverse)
    key_id = token_key_id(public).hex()
    assert page("time", 101, "hash", "sha384", bytes(104).hex()) < 2
    steps = {
        "secrets": page("time", 31, "ticketSecrets", bytes(32).hex(), key_id, spki, "0"),
        "blind": page("time", 31, "blind", spki, message.hex(), secrets.salt.hex(), str(secrets.r)),
        "finalize": page("time", 31, "finalize", spki, message.hex(), signature.hex(), str(inverse)),
        "verify": page("time", 31, "verify", spki, message.hex(), finalized.hex()),
    }
    assert {step: time for step, time in steps.items() if time > 10} == {}
