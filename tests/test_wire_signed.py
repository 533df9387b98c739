"""Jobs, passes, challenges and credentials: both sides read what was written, and nothing that was spoilt."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from flask import Flask
from hypothesis import assume
from hypothesis import strategies as st
from mints import make_settings
from sites import SECRET
from spoiling import JSON_VALUES, holds_for, spoilt_json, spoilt_text

from flask_ticketminer.binding import Binding
from flask_ticketminer.challenge import Challenge, new_challenge, read_challenge
from flask_ticketminer.credential import Credential, Output, decode_credential
from flask_ticketminer.errors import ChallengeAltered, ForgedJob, MalformedCredential, PaymentProblem
from flask_ticketminer.mint.orders import StoredPayment
from flask_ticketminer.passes import AccessPass, area_of, read_pass
from flask_ticketminer.payments import receipt
from flask_ticketminer.secrets import Secrets
from flask_ticketminer.work.job import MAX_TOKEN, Job, job_token, read_job
from miner.errors import SiteProtocolError
from miner.payment.challenge import find_challenge
from miner.tokens import (
    MAX_AMOUNT,
    Token,
    b64url,
    decode_json,
    jcs,
    parse_amount,
    unb64url,
)

SETTINGS = make_settings()
_host = Flask("wire")
_host.config["SECRET_KEY"] = SECRET
SECRETS = Secrets(_host, SETTINGS)
JOBS, PASSES = SECRETS.serializer("job"), SECRETS.serializer("pass")

hashes = st.binary(min_size=32, max_size=32)
large = st.binary(min_size=256, max_size=256)
names = st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)
times = st.integers(0, 2**33)
amounts = st.integers(0, MAX_AMOUNT)
tokens = st.builds(Token, hashes, hashes, hashes, large)

# Jobs and passes


jobs = st.builds(
    Job,
    algorithm=st.sampled_from(("scrypt", "sha256d")),
    value=amounts,
    effort=st.integers(1, 2**62),
    key_id=st.none() | hashes,
    fund=st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
    random=st.binary(min_size=16, max_size=16),
    expires=times,
)
passes = st.builds(
    AccessPass,
    payment_id=hashes,
    area=st.builds(area_of, hashes, st.none() | st.text(st.characters(codec="utf-8"), max_size=20)),
    amount=amounts,
    expires=st.none() | times,
)


@holds_for(jobs)
def test_a_job_is_read_as_it_was_written(job: Job) -> None:
    assert read_job(job_token(job, JOBS), JOBS) == job


@holds_for(jobs, st.data())
def test_a_spoilt_job_is_forged_or_the_same(job: Job, data: st.DataObject) -> None:
    # Base64 lets the MAC itself be spelt in several ways; what it signs, in one.
    try:
        found = read_job(data.draw(spoilt_text(job_token(job, JOBS))), JOBS)
    except ForgedJob:
        return
    assert found == job


@holds_for(
    st.one_of(st.none(), st.integers(), st.text(max_size=2 * MAX_TOKEN), st.lists(st.text(max_size=2)))
)
def test_anything_else_is_a_forged_job(token: object) -> None:
    with pytest.raises(ForgedJob):
        read_job(token, JOBS)


@holds_for(passes)
def test_a_pass_is_read_as_it_was_written(access: AccessPass) -> None:
    assert read_pass(access.token(PASSES), PASSES) == access


@holds_for(passes, st.data())
def test_a_spoilt_pass_opens_nothing_else(access: AccessPass, data: st.DataObject) -> None:
    assert read_pass(data.draw(spoilt_text(access.token(PASSES))), PASSES) in (None, access)


@holds_for(jobs, passes)
def test_a_job_is_no_pass_and_a_pass_no_job(job: Job, access: AccessPass) -> None:
    assert read_pass(job_token(job, JOBS), PASSES) is None
    with pytest.raises(ForgedJob):
        read_job(access.token(PASSES), JOBS)


# Challenges and credentials


@st.composite
def challenges(draw: st.DrawFn) -> Challenge:
    body = draw(st.none() | hashes)
    binding = Binding(
        draw(st.sampled_from(("GET", "POST", "PUT"))),
        "/" + draw(st.text("abc/%20?=&", max_size=20)),
        None if body is None else "sha-256=:" + b64url(body) + ":",
        draw(hashes),
    )
    return new_challenge(
        SECRETS,
        binding,
        amount=draw(st.integers(1, MAX_AMOUNT)),
        site_name=draw(names),
        expires=draw(st.integers(0, 2**32)),
        details={"redeem": "/ticketminer/redeem", "service": "/ticketminer/"},
        uses_authorization=draw(st.booleans()),
    )


@holds_for(challenges())
def test_both_sides_read_the_same_challenge(challenge: Challenge) -> None:
    seen = find_challenge([challenge.header()])
    assert seen is not None
    assert (seen.amount, seen.expires) == (challenge.amount, challenge.expires)
    assert read_challenge(SECRETS, dict(seen.echo)) == challenge


@holds_for(challenges(), st.data())
def test_a_spoilt_echo_is_refused(challenge: Challenge, data: st.DataObject) -> None:
    echo = data.draw(spoilt_json(challenge.echo()))
    assume({**echo, "new": None} != {**challenge.echo(), "new": None})
    with pytest.raises((ChallengeAltered, MalformedCredential)):
        read_challenge(SECRETS, echo)


@holds_for(challenges(), JSON_VALUES)
def test_unknown_parameters_of_an_echo_are_ignored(challenge: Challenge, value: object) -> None:
    assert read_challenge(SECRETS, {**challenge.echo(), "new": value}) == challenge


@holds_for(challenges(), st.data())
def test_a_spoilt_challenge_is_nonsense_or_echoed_in_vain(challenge: Challenge, data: st.DataObject) -> None:
    try:
        seen = find_challenge([data.draw(spoilt_text(challenge.header()))])
    except SiteProtocolError:
        return
    if seen is not None and challenge.echo().items() - seen.echo.items():
        with pytest.raises((ChallengeAltered, MalformedCredential)):
            read_challenge(SECRETS, dict(seen.echo))


credentials = st.builds(
    Credential,
    challenges(),
    st.lists(tokens, min_size=1, max_size=4).map(tuple),
    st.lists(st.builds(Output, hashes, large), max_size=3).map(tuple),
)


def members_of(credential: Credential) -> dict[str, t.Any]:
    """Return the JSON of a credential, as a client writes it."""
    assert credential.challenge is not None
    return {
        "challenge": credential.challenge.echo(),
        "payload": {
            "tickets": [b64url(ticket.to_bytes()) for ticket in credential.tickets],
            "outputs": [
                {"key_id": output.key_id.hex(), "blinded_message": b64url(output.blinded_message)}
                for output in credential.outputs
            ],
        },
    }


def read(members: t.Any, **spelling: t.Any) -> Credential:
    return decode_credential(b64url(json.dumps(members, **spelling).encode()), SETTINGS, SECRETS)


@holds_for(credentials, examples=60)
def test_a_credential_is_the_same_in_every_spelling_of_its_json(credential: Credential) -> None:
    members = members_of(credential)
    spellings = [
        read(members),
        read(members, indent=1),
        read({**members, "source": "x", "new": [1]}),
        read({**members, "challenge": {**members["challenge"], "new": "x"}}),
        read(members, sort_keys=True),
    ]
    assert spellings == [credential] * 5
    assert {other.payment_id for other in spellings} == {credential.payment_id}


@holds_for(credentials, examples=5)
def test_the_payload_has_no_unknown_members(credential: Credential) -> None:
    members = members_of(credential)
    with pytest.raises(MalformedCredential):
        read({**members, "payload": {**members["payload"], "new": 1}})


@holds_for(credentials, st.data(), examples=60)
def test_a_spoilt_credential_is_refused_or_another_payment(
    credential: Credential, data: st.DataObject
) -> None:
    members = data.draw(spoilt_json(members_of(credential)))
    try:
        other = read(members)
    except PaymentProblem:
        return
    assert (other == credential) == (other.payment_id == credential.payment_id)


@holds_for(credentials, st.data(), examples=60)
def test_a_credential_with_a_wrong_character_is_refused(credential: Credential, data: st.DataObject) -> None:
    text = data.draw(spoilt_text(b64url(json.dumps(members_of(credential)).encode())))
    try:
        other = decode_credential(text, SETTINGS, SECRETS)
    except PaymentProblem:
        return
    assert (other == credential) == (other.payment_id == credential.payment_id)


@holds_for(credentials, credentials)
def test_different_payments_have_different_names(one: Credential, other: Credential) -> None:
    swapped = dataclasses.replace(one, tickets=other.tickets)
    assert (swapped == one) == (swapped.payment_id == one.payment_id)
    assert dataclasses.replace(one, challenge=None).payment_id != one.payment_id


@holds_for(hashes, amounts, times)
def test_a_receipt_names_payment_amount_and_time(payment_id: bytes, price: int, settled: int) -> None:
    stored = StoredPayment(payment_id, "pay", "settled", 1, 0, price, price, 0, (), None, None, 0, settled)
    document = decode_json(unb64url(b64url(jcs(receipt(stored)))))
    assert parse_amount(document["amount"]) == price
    assert document["reference"] == payment_id.hex()
    assert document["timestamp"].endswith("Z")
