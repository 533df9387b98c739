"""How a visitor's requests travel."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading

import httpx
import pytest

from miner.errors import MinerError, SiteProtocolError, SiteUnreachable
from miner.transport import MAX_REPLY, Call, Reply, open_http, origin_of, run, sender


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append(dict(self.headers))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
        else:
            self.send_response(200)
        body = b"x" * (MAX_REPLY + 1) if self.path == "/huge" else b"hello"
        self.send_header("Set-Cookie", "visitor=17")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        running.seen = []
        running.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def socks():
    """A SOCKS5 proxy that notes who asks for which host, and answers in the host's place."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as stream:
                    stream.read(stream.read(2)[1])
                    connection.sendall(b"\x05\x02")
                    user = stream.read(stream.read(2)[1]).decode()
                    password = stream.read(stream.read(1)[0]).decode()
                    connection.sendall(b"\x01\x00")
                    assert stream.read(4) == b"\x05\x01\x00\x03"
                    host = stream.read(stream.read(1)[0]).decode()
                    stream.read(2)
                    connection.sendall(b"\x05\x00\x00\x01" + bytes(6))
                    asked.append((user, password, host))
                    while stream.readline().strip():
                        pass
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"socks5h://127.0.0.1:{listener.getsockname()[1]}", asked
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_mining_and_spending_log_in_differently_at_the_proxy(socks):
    proxy, asked = socks
    for purpose in ("mining", "spending", "spending"):
        with open_http(proxy, purpose) as client:
            sender(client)(Call("GET", "http://shop.onion/"))
    assert [user for user, _, _ in asked] == [
        "ticketminer-mining",
        "ticketminer-spending",
        "ticketminer-spending",
    ]
    assert len({password for _, password, _ in asked}) == 3


def test_the_proxy_resolves_names(socks):
    proxy, asked = socks
    with open_http(proxy.replace("socks5h", "socks5"), "mining") as client:
        sender(client)(Call("GET", "http://shop.onion/"))
    assert asked[0][2] == "shop.onion"


def test_given_proxy_credentials_are_kept(socks):
    proxy, asked = socks
    with open_http(proxy.replace("//", "//me:secret@"), "mining") as client:
        sender(client)(Call("GET", "http://shop.onion/"))
    assert asked[0][:2] == ("me", "secret")


def test_an_onion_service_without_answer_is_explained():
    with open_http("http://127.0.0.1:9") as client, pytest.raises(SiteUnreachable, match="Tor proxy"):
        sender(client)(Call("GET", "http://shop.onion/"))


def test_the_environments_proxy_does_not_come_between_this_machine_and_itself(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with open_http() as client:
        assert sender(client)(Call("GET", server.url + "/")).body == b"hello"


def test_a_chosen_proxy_is_never_bypassed(server, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with open_http("http://127.0.0.1:9") as client, pytest.raises(SiteUnreachable):
        sender(client)(Call("GET", server.url + "/"))
    assert server.seen == []


def test_cookies_are_not_kept(server):
    with open_http() as client:
        for _ in range(2):
            sender(client)(Call("GET", server.url + "/"))
    assert "Cookie" not in server.seen[1]


def test_redirects_are_not_followed(server):
    with open_http() as client:
        assert sender(client)(Call("GET", server.url + "/moved")).status == 302
    assert len(server.seen) == 1


def test_the_user_agent_tells_nothing(server):
    with open_http() as client:
        sender(client)(Call("GET", server.url + "/"))
    assert server.seen[0]["User-Agent"] == "ticketminer"


def test_an_answer_that_is_too_large_is_cut_off(server):
    with open_http() as client, pytest.raises(SiteProtocolError, match="more than"):
        sender(client)(Call("GET", server.url + "/huge"))


def test_a_compressed_bomb_is_cut_off():
    bomb = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=_gzip(bytes(50_000_000)))
    client = httpx.Client(transport=httpx.MockTransport(lambda request: bomb))
    with pytest.raises(SiteProtocolError, match="more than"):
        sender(client)(Call("GET", "https://shop.example/"))


def _gzip(data):
    import gzip

    return gzip.compress(data)


@pytest.mark.parametrize("proxy", ["nonsense", "ftp://127.0.0.1:1", "socks5h://[::1", "socks4://127.0.0.1:1"])
def test_what_is_not_a_proxy_is_explained(proxy):
    with pytest.raises(MinerError, match="socks5h://"):
        open_http(proxy)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTPS://Shop.Example:443/a?b#c", "https://shop.example"),
        ("http://127.0.0.1:5000/x", "http://127.0.0.1:5000"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://user:secret@shop.example/", "https://shop.example"),
        ("https://köln.example/", "https://xn--kln-sna.example"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url, origin):
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url", ["shop.example", "ftp://shop.example", "https://", "javascript:1", "https://a:b/", "//x"]
)
def test_what_is_not_a_web_address_is_refused(url):
    with pytest.raises(SiteProtocolError, match="not a web address"):
        origin_of(url)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((("retry-after", "7"),), 7),
        ((("retry-after", "99999999"),), 86_400),
        ((("retry-after", "-1"),), None),
        ((("retry-after", "²"),), None),
        ((("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"),), None),
        ((), None),
    ],
)
def test_retry_after_is_read_in_seconds(headers, seconds):
    assert Reply(503, headers).retry_after == seconds


def test_what_sending_raises_reaches_the_steps():
    caught = []

    def steps():
        try:
            yield Call("GET", "https://shop.example/")
        except SiteUnreachable as error:
            caught.append(error)
        return "went on"

    def send(call):
        raise SiteUnreachable("no answer")

    assert run(steps(), send) == "went on"
    assert len(caught) == 1
