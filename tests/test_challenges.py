"""Reading WWW-Authenticate on the visitor's side."""

from __future__ import annotations

import pytest
from fake_keys import NOW
from fake_site import FakeSite
from hypothesis import given
from hypothesis import strategies as st

from miner.errors import SiteProtocolError
from miner.payment import find_challenge, parse_challenges
from miner.payment.challenge import body_digest, read_challenge
from miner.tokens import b64url, jcs


@pytest.fixture
def parameters():
    return FakeSite().challenge("GET", "/report", b"", 3)


def field(parameters):
    return "Payment " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())


def request(**changes):
    wanted = {
        "amount": "3",
        "currency": "ticket",
        "recipient": "shop.example",
        "methodDetails": {"redeem": "/ticketminer/redeem", "service": "/ticketminer/"},
    }
    return b64url(jcs({**wanted, **changes}))


def test_a_challenge_is_read(parameters):
    challenge = find_challenge([field(parameters)])
    assert (challenge.amount, challenge.recipient, challenge.redeem, challenge.expires) == (
        3,
        "shop.example",
        "/ticketminer/redeem",
        NOW + 900,
    )
    assert challenge.echo == parameters


@pytest.mark.parametrize(
    "values",
    [
        lambda own: [f'Basic realm="a, Payment b", {own}, Bearer'],
        lambda own: ["Negotiate", "NTLM TlRMTVNTUAAB==", own],
        lambda own: [f"Negotiate abc==, {own}"],
        lambda own: [f'Digest qop="auth,auth-int", nonce=x, {own}'],
        lambda own: [f" , ,{own} ,"],
        lambda own: [own.replace("Payment", "pAYMENT", 1)],
        lambda own: [own.replace('realm="', 'REALM = "', 1)],
        lambda own: ['Payment id="x", method="card", intent="charge", realm="r", request="e30"', own],
        lambda own: ['Payment id="x", method="ticket", intent="session", realm="r", request="e30"', own],
        lambda own: [own.replace("Payment", 'Payment header="Cookie",', 1), own],
        lambda own: [f'Broken "quoted", {own}'],
        lambda own: ['Payment id="a", id="b", method="ticket"', own],
    ],
)
def test_it_is_found_among_other_challenges(parameters, values):
    assert find_challenge(values(field(parameters))).echo == parameters


def test_quoted_pairs_are_undone():
    assert parse_challenges([r'Payment a="say \"hi\", \\o/", b=c']) == [
        ("payment", {"a": 'say "hi", \\o/', "b": "c"})
    ]


def test_other_schemes_are_left_alone():
    assert find_challenge(['Basic realm="x"', 'Payment method="card", intent="charge"']) is None


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=200))
def test_any_text_is_parsed_without_an_accident(text):
    for scheme, parameters in parse_challenges([text, f"Payment {text}"]):
        assert scheme == scheme.lower()
        assert all(isinstance(value, str) for value in parameters.values())


@given(st.dictionaries(st.sampled_from(["id", "realm", "expires", "opaque"]), st.text(max_size=30)))
def test_any_quoted_value_comes_back(parameters):
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in parameters.items()}
    text = "Payment " + ", ".join(f'{name}="{value}"' for name, value in quoted.items())
    assert parse_challenges([f"Basic x=y, {text}"])[-1] == ("payment", parameters)


@pytest.mark.parametrize(
    "changes",
    [
        {"request": request(amount="0")},
        {"request": request(amount="-3")},
        {"request": request(amount="3.0")},
        {"request": request(amount=3)},
        {"request": request(amount="99999999999")},
        {"request": request(currency="usd")},
        {"request": request(methodDetails={})},
        {"request": request(methodDetails={"redeem": "/r", "service": "https://evil.example/"})},
        {"request": request(recipient=7)},
        {"request": "not json"},
        {"intent": "subscription"},
        {"method": "card"},
        {"expires": "tomorrow"},
        {"expires": "2026-11-29T00:00:00"},
        {"header": "Cookie"},
    ],
    ids=str,
)
def test_a_nonsensical_challenge_is_refused(parameters, changes):
    with pytest.raises(SiteProtocolError):
        read_challenge({**parameters, **changes})


def test_a_challenge_without_id_is_refused(parameters):
    del parameters["id"]
    with pytest.raises(SiteProtocolError, match="lacks id"):
        read_challenge(parameters)


def test_the_digest_is_the_one_of_rfc_9530():
    # RFC 9530, appendix D: {"hello": "world"} without a final line feed.
    assert body_digest(b'{"hello": "world"}') == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
