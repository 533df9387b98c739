"""A hostile or broken site, the network around it, and strangers, against the visitor's program."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import socketserver
import threading
import time
import typing as t
from types import SimpleNamespace

import httpx
import pytest
from bench import Answer, Bench, ScriptedSite, refusal
from fake_keys import NOW
from fake_site import FakeSite, solve
from purses import SHOP, available

from miner.cli.download import MAX_NAME, Download, served_name
from miner.cli.get import _next_hop
from miner.cli.output import Output
from miner.cli.session import Session
from miner.client import SiteClient
from miner.deadline import HeadDeadline
from miner.errors import (
    AlreadyDelivered,
    ForeignRequest,
    MinerError,
    SiteError,
    SiteProtocolError,
    SiteUnreachable,
    WalletError,
)
from miner.payment import TicketAuth
from miner.transport import Call, open_http, origin_of, sender
from miner.wallet.transfer import encode_tickets

EVIL = "https://evil.example"

REPORT = SHOP + "/report"


# Files


@pytest.mark.parametrize(
    "value",
    [
        "attachment; filename*=x; filename*0=y",
        "attachment; filename*=undefined''x",
        "attachment; filename*=idna''%ff",
        "attachment; filename*=%00''x",
        f"attachment; filename*{'9' * 5000}=x",
    ],
)
def test_a_file_is_named_whatever_the_site_calls_it(value: str) -> None:
    assert served_name(SHOP + "/report.txt", value)


@pytest.mark.parametrize("name", ["漢" * 200 + ".png", "a." + "😀" * 200, "😀" * 300])
def test_a_name_of_many_bytes_fits_the_file_system(tmp_path, name: str) -> None:
    with Download(str(tmp_path)) as download:
        path = download.finish(
            served_name(SHOP, f"attachment; filename*=utf-8''{httpx.QueryParams(n=name)!s}")
        )
    assert (path.parent, len(path.name.encode()) <= MAX_NAME) == (tmp_path, True)


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "..\\..\\x",
        "/etc/passwd",
        "..",
        "%2e%2e/x",
        ".bashrc",
        "-rf",
        "a\x1b[2Jb",
        "a\u202eb",
        "CON",
    ],
)
def test_no_name_leads_elsewhere_or_does_something(tmp_path, name: str) -> None:
    made = served_name(SHOP, f'attachment; filename="{name}"')
    assert (tmp_path / made).resolve().parent == tmp_path.resolve()
    assert made.isprintable()
    assert made[0] not in ".-"
    assert made != "CON"


# Terminals


def test_json_holds_nothing_that_a_terminal_obeys(capsys) -> None:
    words = "\x9b2Jnew\u202eline\x7f"
    Output(as_json=True).result("", {"text": words})
    printed = capsys.readouterr().out
    assert printed.strip().isprintable()
    assert json.loads(printed) == {"text": words}


# Consent


def session_with(wallet, service):
    options = SimpleNamespace(output=Output(quiet=True), wallet=None, proxy=None, allow_http=False)
    session = Session(t.cast(t.Any, options))
    session._wallet = wallet
    return session, SimpleNamespace(origin=SHOP, consent=None, service=lambda: service)


def test_other_words_under_the_same_version_need_a_new_consent(wallet) -> None:
    service = SimpleNamespace(consent_version="1", consent_text="May we compute a little?")
    session, client = session_with(wallet, service)
    session.consent(t.cast(t.Any, client), yes=True)
    session.consent(t.cast(t.Any, client), yes=False)
    service.consent_text = "May we have everything?"
    with pytest.raises(MinerError, match="consent"):
        session.consent(t.cast(t.Any, client), yes=False)


# Addresses


@pytest.mark.parametrize("address", ["https://ä..b/", f"https://{'ä' * 80}/"])
def test_an_impossible_host_is_refused_in_a_sentence(address: str) -> None:
    with pytest.raises(SiteProtocolError, match="not a web address"):
        origin_of(address)


def test_a_gift_from_an_impossible_host_is_refused(wallet, site, fund) -> None:
    fund(1)
    code = encode_tickets("https://ä..b", [wallet.tickets()[0].token])
    with pytest.raises(WalletError, match="cannot be read"):
        SiteClient(SHOP, wallet, site.client()).receive(code)


def test_a_redirect_to_no_address_is_refused() -> None:
    with pytest.raises(SiteProtocolError):
        _next_hop(REPORT, "http://[")


@pytest.mark.parametrize(
    "location", ["//evil.example/", "http://shop.example/", "https://shop.example@evil.example/"]
)
def test_a_redirect_to_another_origin_is_not_paid(location: str) -> None:
    with pytest.raises(ForeignRequest):
        _next_hop(REPORT, location)


def test_the_local_network_is_not_asked_for_an_onion_name(monkeypatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    asked: list[t.Any] = []

    def lookup(host: t.Any, *rest: t.Any, **options: t.Any) -> t.Any:
        asked.append(host)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with open_http() as http, pytest.raises(SiteUnreachable, match="Tor proxy"):
        sender(http)(Call("GET", "http://shop.onion/"))
    assert asked == []


# Endless answers


class Endless(httpx.SyncByteStream, httpx.AsyncByteStream):
    """At most 64 MiB, so that a test without a bound ends too."""

    sent = 0

    def __iter__(self):
        for _ in range(1024):
            self.sent += 65536
            yield bytes(65536)

    async def __aiter__(self):
        for chunk in self:
            yield chunk


@pytest.mark.parametrize("status", [402, 500])
def test_an_endless_refusal_is_cut_off(wallet, status: int) -> None:
    body = Endless()
    transport = httpx.MockTransport(lambda request: httpx.Response(status, stream=body))
    with httpx.Client(transport=transport, auth=TicketAuth(wallet)) as http, pytest.raises(SiteProtocolError):
        http.get(REPORT)
    assert body.sent < 2**22


def test_an_endless_refusal_is_cut_off_in_async_clients(wallet) -> None:
    body = Endless()

    async def get() -> None:
        transport = httpx.MockTransport(lambda request: httpx.Response(402, stream=body))
        async with httpx.AsyncClient(transport=transport, auth=TicketAuth(wallet)) as http:
            await http.get(REPORT)

    with pytest.raises(SiteProtocolError):
        asyncio.run(get())
    assert body.sent < 2**22


def test_a_body_that_is_compressed_twice_is_not_unpacked(wallet) -> None:
    bomb = gzip.compress(gzip.compress(bytes(1 << 22)))

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(402, headers={"Content-Encoding": "gzip, gzip"}, stream=httpx.ByteStream(bomb))

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        with pytest.raises(SiteProtocolError, match="compressed"):
            sender(http)(Call("GET", REPORT))
        with pytest.raises(SiteProtocolError, match="compressed"):
            http.get(REPORT, auth=TicketAuth(wallet))


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' + b"9" * 10_000 + b"}", b'{"a":1e999}']
)
def test_strange_json_is_one_sentence(wallet, site, body: bytes) -> None:
    site.answer(
        "/ticketminer/", httpx.Response(200, content=body, headers={"Content-Type": "application/json"})
    )
    with pytest.raises(SiteError):
        SiteClient(SHOP, wallet, site.client()).service()


class Dripping(socketserver.StreamRequestHandler):
    """Answers requests to ``/`` at once, and any other with a header that never ends."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while line := self.rfile.readline():
                while self.rfile.readline().strip():
                    pass
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")
                self.wfile.write(b"\r\n" if line.startswith(b"GET / ") else b"X-Slow: ")
                while not line.startswith(b"GET / "):
                    self.wfile.write(b"x")
                    time.sleep(0.02)


@pytest.mark.parametrize("before", ["", "/"], ids=["a-new-connection", "a-kept-one"])
def test_headers_that_never_end_are_cut_off(before: str) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping) as server, open_http() as http:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        send = sender(http, deadline=HeadDeadline(0.3))
        url = f"http://127.0.0.1:{server.server_address[1]}"
        if before:
            assert send(Call("GET", url + before)).status == 200
        with pytest.raises(SiteUnreachable):
            send(Call("GET", url + "/slow"))
        server.shutdown()


# Payments


def test_a_site_that_keeps_a_payment_and_denies_it_is_not_paid_again(wallet, site, fund) -> None:
    fund(8, 8, 8)
    gate = site.handle

    def deny(request: httpx.Request) -> httpx.Response:
        answer = gate(request)
        if request.url.path == "/report" and answer.status_code == 200:
            problem = {"type": "about:blank", "cause": "output-already-signed", "detail": "No."}
            unpaid = gate(httpx.Request("GET", REPORT))
            challenge = unpaid.headers["WWW-Authenticate"]
            return httpx.Response(402, json=problem, headers={"WWW-Authenticate": challenge})
        return answer

    auth = TicketAuth(wallet, 20)
    with (
        httpx.Client(transport=httpx.MockTransport(deny), auth=auth) as http,
        pytest.raises(AlreadyDelivered),
    ):
        http.get(REPORT)
    assert (auth.spent, wallet.balance()) == (3, 21)


def test_what_a_site_keeps_counts_against_the_budget(wallet, site, fund) -> None:
    fund(1, 2, 1, 2, 1, 2)
    gate = site.handle

    def deny(request: httpx.Request) -> httpx.Response:
        answer = gate(request)
        if request.url.path == "/report" and answer.status_code == 200:
            challenge = gate(httpx.Request("GET", REPORT)).headers["WWW-Authenticate"]
            return httpx.Response(
                402, json={"cause": "ticket-spent"}, headers={"WWW-Authenticate": challenge}
            )
        return answer

    auth = TicketAuth(wallet, 5)
    with httpx.Client(transport=httpx.MockTransport(deny), auth=auth) as http, pytest.raises(MinerError):
        http.get(REPORT)
    assert (auth.spent, wallet.balance()) == (3, 6)


# Tickets of another site


def test_a_site_that_shows_anothers_keys_cannot_void_its_tickets(wallet, site, fund) -> None:
    fund(4)
    wallet.mark_spent(EVIL, site.key(4), lambda nonce: True)
    assert available(wallet) == [4]


def test_a_gift_filed_under_another_site_is_not_taken_there(wallet, site, fund) -> None:
    fund(4)
    evil = FakeSite(EVIL, name="evil.example")
    code = encode_tickets(EVIL, [wallet.tickets()[0].token])
    with pytest.raises(WalletError):
        SiteClient(EVIL, wallet, evil.client()).receive(code)
    assert (available(wallet), wallet.balance(EVIL), wallet.unanswered()) == ([4], 0, [])


def test_ones_own_ticket_as_a_gift_is_neither_lost_nor_counted_twice(wallet, site, fund) -> None:
    fund(4)
    code = encode_tickets(SHOP, [wallet.tickets()[0].token])
    SiteClient(SHOP, wallet, site.client()).receive(code)
    assert sum(available(wallet)) == 4


# Clocks


def test_a_date_far_ahead_does_not_keep_a_request_from_being_repeated(wallet, site) -> None:
    client = SiteClient(SHOP, wallet, site.client())
    job = client.job(["sha256d"])
    site.now = NOW + 3 * 86_400
    client.service(refresh=True)
    site.drop("/ticketminer/submit")
    with pytest.raises(SiteUnreachable):
        client.submit(job, solve(job))
    assert SiteClient(SHOP, wallet, site.client()).recover().settled == 1


# Work without end


def test_a_site_that_accepts_no_share_is_given_up() -> None:
    site = ScriptedSite(answers=[Answer(accepted=False)] * 50)
    bench = Bench(site)
    for _ in range(50):
        bench.work.step()
        if bench.work.error is None and bench.board.next(0) is not None:
            bench.find()
    assert bench.work.error is not None
    assert len(site.shares) <= 10


def test_a_site_whose_jobs_are_always_over_is_given_up() -> None:
    site = ScriptedSite(answers=[refusal(409, "expired-job") for _ in range(200)])
    bench = Bench(site)
    for _ in range(300):
        bench.work.step()
        if bench.work.error is None and bench.board.next(0) is not None:
            bench.find()
    assert bench.work.error is not None


def test_shares_that_come_faster_than_they_are_sent_do_not_pile_up() -> None:
    bench = Bench(ScriptedSite())
    bench.work.step()
    search = bench.board.next(0)
    assert search is not None
    for _ in range(100):
        bench.work.searched(search, 1000, list(range(1000)))
    assert bench.work.snapshot().pending <= 1000
