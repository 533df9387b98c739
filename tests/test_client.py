"""Talking to a site: what it offers, jobs, shares, exchanges, and everything it can get wrong."""

from __future__ import annotations

import logging
import subprocess
import sys

import httpx
import pytest
from fake_keys import DAY, NOW, private_key, ticket_key
from fake_site import Clock, solve
from fake_till import Refusal
from purses import SHOP, deposit

from miner.client import SiteClient
from miner.errors import (
    InsecureTransport,
    KeyMismatch,
    NoCommonAlgorithm,
    SiteProtocolError,
    SiteRefused,
    SiteUnreachable,
)
from miner.wallet import Wallet


@pytest.fixture
def client(site, wallet):
    return SiteClient(SHOP, wallet, site.client())


def mine(client, value=1):
    job = client.job(["sha256d"], value=value)
    return client.submit(job, solve(job))


def test_the_service_document_is_read(client):
    service = client.service()
    assert (service.site_name, service.denominations, service.algorithm("sha256d").expected_hashes) == (
        "shop.example",
        (1, 2, 4, 8),
        2,
    )


def test_the_service_document_is_asked_for_once(client, site):
    client.service()
    client.service()
    assert site.counted("/ticketminer/") == 1


def test_keys_are_pinned_at_first_sight(client, wallet, site):
    assert client.keys() == wallet.keys(SHOP)
    assert {key.value for key in wallet.keys(SHOP)} == {1, 2, 4, 8}


def test_a_share_becomes_a_ticket(client, wallet):
    submission = mine(client, 4)
    assert (submission.accepted, submission.value, submission.ticket) == (True, 4, True)
    assert wallet.balance(SHOP) == 4


def test_a_job_pays_many_shares(client, wallet):
    job = client.job(["sha256d"])
    first = solve(job)
    client.submit(job, first)
    client.submit(job, solve(job, first + 1))
    assert wallet.balance() == 2


def test_the_value_asked_for_is_a_denomination_the_site_has(client, site):
    assert client.job(["sha256d"], value=7).value == 4
    assert client.job(["sha256d"], value=512).value == 8


def test_a_donated_share_brings_no_ticket(client, wallet):
    job = client.job(["sha256d"], value=2, donate=True, fund="articles")
    submission = client.submit(job, solve(job))
    assert (submission.accepted, submission.ticket, wallet.balance()) == (True, False, 0)
    assert [(entry.kind, entry.amount) for entry in wallet.history()] == [("donated", 2)]


def test_the_agreed_consent_is_sent_even_when_the_text_has_changed(client):
    client.consent = "an older text"
    with pytest.raises(SiteRefused) as caught:
        client.job(["sha256d"])
    assert caught.value.cause == "consent-required"


def test_the_share_is_written_down_before_it_is_sent(site, wallet):
    written = []

    def look(request):
        if request.url.path == "/ticketminer/submit":
            written.append([pending.body for pending in wallet.unanswered()] == [request.content])
        return site.handle(request)

    mine(SiteClient(SHOP, wallet, httpx.Client(transport=httpx.MockTransport(look))))
    assert written == [True]


@pytest.mark.parametrize("fault", ["drop", "vanish"])
def test_a_lost_share_is_repeated_as_it_was(client, site, wallet, fault):
    job = client.job(["sha256d"])
    getattr(site, fault)("/ticketminer/submit")
    with pytest.raises(SiteUnreachable, match="will be repeated"):
        client.submit(job, solve(job))
    assert wallet.balance() == 0
    recovered = client.recover()
    assert (recovered.settled, recovered.value, wallet.balance()) == (1, 1, 1)
    sent = [
        body for (_, path), body in zip(site.calls, site.bodies, strict=True) if path == "/ticketminer/submit"
    ]
    assert sent[0] == sent[1]
    assert site.issued == 1


def test_recovery_leaves_requests_pending_while_the_site_is_away(client, site, wallet):
    job = client.job(["sha256d"])
    site.vanish("/ticketminer/submit", times=2)
    with pytest.raises(SiteUnreachable):
        client.submit(job, solve(job))
    recovered = client.recover()
    assert (recovered.pending, len(recovered.problems)) == (1, 1)
    assert client.recover().settled == 1


def test_a_refused_share_leaves_nothing_pending(client, site, wallet):
    job = client.job(["sha256d"])
    site.jobs.clear()
    with pytest.raises(SiteRefused, match="Do something else") as caught:
        client.submit(job, solve(job))
    assert (caught.value.cause, caught.value.status) == ("forged-job", 400)
    assert wallet.unanswered() == []


def test_a_share_during_a_site_failure_stays_pending(client, site, wallet):
    job = client.job(["sha256d"])
    site.answer("/ticketminer/submit", httpx.Response(503, headers={"Retry-After": "7"}))
    with pytest.raises(SiteRefused) as caught:
        client.submit(job, solve(job))
    assert caught.value.retry_after == 7
    assert len(wallet.unanswered()) == 1


def test_a_share_forgotten_by_the_site_still_brings_its_signed_ticket(client, site, wallet):
    job = client.job(["sha256d"])
    site.drop("/ticketminer/submit")
    with pytest.raises(SiteUnreachable):
        client.submit(job, solve(job))
    site.jobs.clear()
    assert client.recover().settled == 1
    assert wallet.balance() == 1


def test_an_output_signed_before_is_skipped_and_the_share_sent_again(client, site, wallet, tmp_path):
    with Wallet.create_from_words(tmp_path / "copy" / "wallet.sqlite", wallet.words(), clock=Clock()) as copy:
        mine(SiteClient(SHOP, copy, site.client()))
    assert mine(client).ticket
    # The copy's ticket was found on the way: it is this wallet's too.
    assert wallet.balance() == 2


def test_the_next_job_comes_with_the_answer(client, site):
    job = client.job(["sha256d"])
    site.rewrite["/ticketminer/submit"] = lambda answer: {**answer, "next": site.make_job(2)}
    assert client.submit(job, solve(job)).next_job.value == 2


@pytest.mark.parametrize(
    "change",
    [
        {"target": "0" * 64},
        {"target": "f" * 63},
        {"expected_hashes": 0},
        {"expected_hashes": 1.5},
        {"value": 3},
        {"value": True},
        {"nonce_size": 9},
        {"nonce_offset": 83},
        {"nonce_offset": 60},
        {"algorithm": "scrypt"},
        {"blob": "zz"},
        {"blob": "00" * 84},
        {"blob": ""},
        {"key_id": None},
        {"key_id": "00" * 32},
        {"expires_in": -1},
        {"job": 7},
    ],
    ids=str,
)
def test_a_nonsensical_job_is_refused(client, site, change):
    site.rewrite["/ticketminer/job"] = lambda job: {**job, **change}
    with pytest.raises(SiteProtocolError, match="nonsense"):
        client.job(["sha256d"])


@pytest.mark.parametrize(
    ("offered", "remedy"),
    [(["scrypt"], "Allow it: --algo scrypt"), (["x11"], "C compiler"), (7, "C compiler")],
    ids=["left-out", "not-here", "nonsense"],
)
def test_work_that_is_not_computed_here_comes_with_a_remedy(client, site, offered, remedy):
    def refuse(_):
        raise Refusal(400, "unknown-algorithm", algorithms=offered)

    site.rewrite["/ticketminer/job"] = refuse
    with pytest.raises(NoCommonAlgorithm, match=remedy):
        client.job(["sha256d"])


def test_a_job_that_asks_for_more_work_than_announced_is_refused(client, site):
    client.service()
    site.rewrite["/ticketminer/job"] = lambda job: {
        **job,
        "expected_hashes": 3,
        "target": f"{2**256 // 3 - 1:064x}",
    }
    with pytest.raises(SiteProtocolError, match="more work"):
        client.job(["sha256d"])


def test_terms_that_have_changed_since_are_read_again(client, site):
    client.service()
    site.effort = 4
    assert client.job(["sha256d"]).expected_hashes == 4


def test_a_job_for_a_key_of_another_value_is_refused(client, site):
    site.rewrite["/ticketminer/job"] = lambda job: {**job, "key_id": site.key(8).key_id.hex()}
    with pytest.raises(SiteProtocolError, match="key"):
        client.job(["sha256d"])


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="<html>hotel network login</html>"),
        httpx.Response(200, json=[1, 2]),
        httpx.Response(
            200,
            content=b'{"service": "ticketminer", "service": "x"}',
            headers={"Content-Type": "application/json"},
        ),
        httpx.Response(200, json={"service": "something else"}),
        httpx.Response(200, json={"service": "ticketminer", "version": 2}),
        httpx.Response(200, content=b"{" * 2_000_000, headers={"Content-Type": "application/json"}),
        httpx.Response(200, content=b"[" * 100_000, headers={"Content-Type": "application/json"}),
    ],
    ids=["html", "list", "twice", "other", "version", "huge", "deep"],
)
def test_a_nonsensical_service_document_is_refused(client, site, response):
    site.answer("/ticketminer/", response)
    with pytest.raises(SiteProtocolError):
        client.service()


@pytest.mark.parametrize(
    "link", ["//evil.example/x", "https://evil.example/", "/a b", "\\\\evil", "/a\r\nX: y", "", "/../x/../y"]
)
def test_links_that_could_leave_the_site_are_refused(client, site, link):
    site.rewrite["/ticketminer/"] = lambda service: {**service, "links": {**service["links"], "redeem": link}}
    with pytest.raises(SiteProtocolError, match="redeem"):
        client.service()


def test_a_redirect_is_not_followed(client, site):
    site.answer("/ticketminer/", httpx.Response(302, headers={"Location": "https://evil.example/"}))
    with pytest.raises(SiteRefused, match="redirects elsewhere"):
        client.service()


def test_control_characters_of_a_site_do_not_reach_the_terminal(client, site):
    body = {"cause": "x\x1b[2J", "detail": "\x1b]0;owned\x07 hello\u202e"}
    site.answer("/ticketminer/", httpx.Response(400, json=body))
    with pytest.raises(SiteRefused, match="hello") as caught:
        client.service()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "answer",
    [
        {"accepted": True, "value": 1, "token_response": None},
        {"accepted": True, "value": 1, "token_response": "AAAA"},
        {"accepted": "yes", "value": 1},
        {},
    ],
    ids=str,
)
def test_a_nonsensical_answer_to_a_share_loses_nothing(client, site, wallet, answer):
    job = client.job(["sha256d"])
    site.rewrite["/ticketminer/submit"] = lambda _: answer
    with pytest.raises(SiteProtocolError):
        client.submit(job, solve(job))
    site.rewrite.clear()
    assert client.recover().value == 1


def test_a_false_signature_is_not_a_ticket(client, site, wallet):
    job = client.job(["sha256d"])
    site.rewrite["/ticketminer/submit"] = lambda answer: {**answer, "token_response": "A" * 342}
    with pytest.raises(SiteProtocolError, match="signature"):
        client.submit(job, solve(job))
    assert wallet.balance() == 0
    assert len(wallet.unanswered()) == 1


def test_a_second_key_for_a_value_is_refused(client, site):
    client.keys()
    site.add_key(ticket_key(1, variant=1), private_key(1, 0, 1))
    with pytest.raises(KeyMismatch, match="mark"):
        client.keys(refresh=True)


def test_a_second_key_is_refused_at_first_sight_too(client, site):
    site.add_key(ticket_key(1, variant=1), private_key(1, 0, 1))
    with pytest.raises(KeyMismatch, match="second key"):
        client.keys()


@pytest.mark.parametrize("member", ["not-before", "issue-until", "redeem-until", "issuer-name", "value"])
def test_a_changed_entry_is_refused(client, site, member):
    client.keys()

    def change(directory):
        entry = directory["token-keys"][0]
        entry[member] = (
            "x.example" if member == "issuer-name" else 512 if member == "value" else entry[member] + DAY
        )
        return directory

    site.rewrite["/ticketminer/keys"] = change
    with pytest.raises(KeyMismatch):
        client.keys(refresh=True)


def test_a_key_that_is_not_its_id_is_refused(client, site):
    def change(directory):
        directory["token-keys"][0]["key-id"] = "00" * 32
        return directory

    site.rewrite["/ticketminer/keys"] = change
    with pytest.raises(SiteProtocolError, match="hash of the key"):
        client.keys()


def test_other_token_types_in_the_directory_are_passed_over(client, site):
    site.rewrite["/ticketminer/keys"] = lambda directory: {
        **directory,
        "token-keys": [{"token-type": 1, "token-key": "AA"}, *directory["token-keys"]],
    }
    assert len(client.keys()) == 4


def test_an_unknown_key_is_looked_up_once_more(client, site, clock):
    client.keys()
    clock.now = site.now = NOW + 7 * DAY
    site.add_epoch(1)
    assert client.job(["sha256d"]).key_id == site.key(1).key_id
    assert site.counted("/ticketminer/keys") == 2


def test_a_wrong_local_clock_is_said_and_worked_around(client, site, clock, caplog):
    clock.now = NOW - 40 * DAY
    with caplog.at_level(logging.WARNING, logger="miner"):
        assert mine(client).ticket
    assert "behind the clock" in client.clock_warning
    assert caplog.text.count("Set it right") == 1


def test_a_right_clock_needs_no_word(client):
    client.keys()
    assert client.clock_warning is None


def test_a_cached_answer_says_nothing_about_the_clock(client, site, wallet):
    stale = {"Date": "Mon, 01 Jan 2024 00:00:00 GMT", "Age": "300"}
    site.answer("/ticketminer/", httpx.Response(200, json=site._service(None), headers=stale))
    client.service()
    assert client.clock_warning is None


def test_plain_http_to_another_machine_is_refused(wallet, site):
    with pytest.raises(InsecureTransport, match="https"):
        SiteClient("http://shop.example", wallet, site.client())


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:5000", "http://localhost", "http://[::1]:80", "http://abc.onion"]
)
def test_plain_http_is_fine_where_nobody_listens(wallet, site, origin):
    assert SiteClient(origin, wallet, site.client()).origin.startswith("http://")


def test_plain_http_may_be_allowed(wallet, site):
    assert SiteClient("http://shop.lan", wallet, site.client(), allow_http=True).origin == "http://shop.lan"


def test_a_page_leads_to_its_ticket_service(wallet, site):
    page = httpx.Response(200, headers={"X-TicketMiner-Service": "/shop/ticketminer/"})
    site.answer("/shop/pictures", page)
    found = SiteClient.discover(SHOP + "/shop/pictures", wallet, site.client())
    with pytest.raises(SiteRefused):
        found.service()
    assert site.calls[-1] == ("GET", "/shop/ticketminer/")


def test_a_kill_between_writing_and_answer_loses_no_ticket(client, site, wallet, tmp_path):
    """The child writes an exchange down and dies where the answer would come; the parent repeats it."""
    deposit(wallet, site, 8)
    client.keys()
    script = (
        "import os, signal, sys; from pathlib import Path; import httpx\n"
        "from miner.client import SiteClient; from miner.wallet import Wallet\n"
        "sys.path.insert(0, sys.argv[2]); from fake_site import FakeSite, Clock\n"
        "w = Wallet.open(Path(sys.argv[1]), clock=Clock())\n"
        "site = FakeSite()\n"
        "def die(request):\n"
        "    if request.url.path.endswith('redeem'): os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return httpx.Response(200, json=site._service(request))\n"
        "http = httpx.Client(transport=httpx.MockTransport(die))\n"
        f"SiteClient({SHOP!r}, w, http).exchange(w.tickets(), [4, 4])\n"
    )
    folder = str(__import__("pathlib").Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", script, str(wallet.path), folder], timeout=120)
    assert done.returncode == -9
    assert wallet.balance() == 0
    assert client.recover().value == 8
    assert wallet.balance() == 8
