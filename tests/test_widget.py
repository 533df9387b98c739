"""The element that mines and pays: what the template function writes, with and without it."""

from __future__ import annotations

import html
import re
import typing as t

import pytest
from flask import Flask, render_template_string, session
from hosts import MakeHost, gate
from jinja2 import DictLoader
from pasting import NAVIGATION
from visitor import cause

from flask_ticketminer import TicketMiner
from flask_ticketminer.errors import ConfigurationError, UnknownFund

FUNDS = {"articles": {"title": "Art & <articles>", "minimum": 2, "default": 7}}


@pytest.fixture
def app(make_host: MakeHost) -> Flask:
    app = make_host(TICKETMINER_FUNDS=FUNDS, TICKETMINER_SITE_NAME="shop.example")
    gate(app, "/x", lambda: "x", "GET", "POST", price=3)
    return app


def written(app: Flask, arguments: str, **environment: t.Any) -> str:
    with app.test_request_context(**environment):
        return render_template_string(f"{{{{ ticketminer_widget({arguments}) }}}}")


def attributes(source: str, element: str = "ticket-miner") -> dict[str, str]:
    (tag,) = re.findall(rf"<{element} [^>]*>", source)
    return {name: html.unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}


def words(source: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", source)).split())


def test_everything_the_question_needs_is_in_the_page(app: Flask) -> None:
    source = written(app, "3, resource='/x?a=1&b=2'")
    settings = app.extensions["ticketminer"].settings
    found = attributes(source)
    tree = found.pop("assets")
    assert re.fullmatch(r"/ticketminer/assets/[0-9a-f]{16}/", tree)
    assert found == {
        "class": "ticketminer-widget",
        "lang": "en",
        "dir": "ltr",
        "service": "/ticketminer/",
        "goal": "pay",
        "price": "3",
        "resource": "/x?a=1&b=2",
        "consent": settings.consent_version,
        "consent-text": settings.consent_text,
        "algorithm": settings.algorithm,
        "effort": "1",
        "wallet": "/ticketminer/wallet",
        "about": "/ticketminer/about",
    }
    assert source.lstrip().startswith(f'<script type="module" src="{tree}element/element.js"></script>')


def test_addresses_follow_prefix_and_mount_point(make_host: MakeHost) -> None:
    app = make_host(TICKETMINER_URL_PREFIX="/pay")
    found = attributes(written(app, "1", base_url="http://localhost/mounted/"))
    for name, path in (("service", "/"), ("assets", "/assets/"), ("wallet", "/wallet"), ("about", "/about")):
        assert found[name].startswith(f"/mounted/pay{path}")


def test_each_element_names_its_script(app: Flask) -> None:
    """A browser runs a module once a page. A page drawn anew, or put together from cached pieces, misses none."""
    with app.test_request_context():
        pieces = [render_template_string("{{ ticketminer_widget(1) }}") for _ in range(2)]
    assert pieces[0] == pieces[1]
    assert pieces[0].count("<script") == pieces[0].count("<ticket-miner") == 1


@pytest.mark.parametrize("call", ["ticketminer_widget(1)", "ticketminer_donate()", "ticketminer_donated()"])
def test_imported_macros_know_the_functions(make_host: MakeHost, call: str) -> None:
    app = make_host()
    app.jinja_loader = DictLoader({"own.html": f"{{% macro shown() %}}{{{{ {call} }}}}{{% endmacro %}}"})
    page = f"{{% import 'own.html' as own %}}{{{{ own.shown() }}}}<hr>{{{{ {call} }}}}"
    app.add_url_rule("/page", "page", lambda: render_template_string(page))
    by_macro, here = app.test_client().get("/page").text.split("<hr>")
    assert by_macro == here


def test_a_function_of_the_host_with_the_same_name_stands(make_host: MakeHost) -> None:
    app = make_host()
    app.add_template_global(lambda: "mine", "ticketminer_donated")
    app.test_client().get("/")
    assert app.jinja_env.globals["ticketminer_donated"]() == "mine"


@pytest.mark.parametrize("call", ["ticketminer_widget(1)", "ticketminer_donate()"])
def test_on_a_subdomain_where_nothing_answers_it_is_refused(make_host: MakeHost, call: str) -> None:
    def setup(app: Flask) -> None:
        app.subdomain_matching = True
        app.config["SERVER_NAME"] = "shop.example"
        TicketMiner(app)

    app = make_host(setup)
    for subdomain in ("", "blog"):
        app.add_url_rule(
            "/page",
            f"page-{subdomain}",
            lambda: render_template_string(f"{{{{ {call} }}}}"),
            subdomain=subdomain,
        )
    visitor = app.test_client()
    assert visitor.get("/page", base_url="https://shop.example").status_code == 200
    with pytest.raises(ConfigurationError, match=r"page-blog.*the main host"):
        visitor.get("/page", base_url="https://blog.shop.example")


def test_a_nonce_is_passed_on(app: Flask) -> None:
    assert ' nonce="a&#34;b"></script>' in written(app, "1, nonce='a\"b'")


@pytest.mark.parametrize(
    ("arguments", "goal", "price", "command"),
    [
        ("3, resource='/x'", "pay", "3", "ticketminer pay 'http://localhost/x'"),
        ("5", "tickets", "5", "ticketminer mine 'http://localhost/ticketminer/' --tickets 5"),
        (
            "5, fund='articles'",
            "donate",
            "5",
            "ticketminer donate 'http://localhost/ticketminer/' 5 --fund articles",
        ),
        ("fund='articles'", "donate", "7", None),
        (
            "0, fund='articles'",
            "donate",
            "0",
            "ticketminer mine 'http://localhost/ticketminer/' --donate --fund articles",
        ),
        ("5, mode='donate'", "donate", "5", "ticketminer donate 'http://localhost/ticketminer/' 5"),
        ("1, resource=\"/x?';reboot;'\"", "pay", "1", "ticketminer pay 'http://localhost/x?%27;reboot;%27'"),
    ],
)
def test_without_javascript_it_says_what_does_the_same(
    app: Flask, arguments: str, goal: str, price: str, command: str | None
) -> None:
    source = written(app, arguments)
    found = attributes(source)
    assert (found["goal"], found["price"]) == (goal, price)
    (shown,) = re.findall(r"<code>(ticketminer [^<]*)</code>", source)
    assert command is None or html.unescape(shown) == command
    assert "Nothing is computed unless you agree." in words(source)
    assert "takes JavaScript" in re.findall(r"<noscript>(.*?)</noscript>", source)[0]
    assert 'href="/ticketminer/wallet"' in source


def test_who_says_no_finds_the_other_ways(app: Flask) -> None:
    assert '<a href="/x">Other ways to pay</a>' in written(app, "3, resource='/x'")


@pytest.mark.parametrize(
    ("arguments", "title"), [("2, fund='articles'", "Art & <articles>"), ("2, mode='donate'", "shop.example")]
)
def test_a_donation_names_what_it_is_for(app: Flask, arguments: str, title: str) -> None:
    source = written(app, arguments)
    assert attributes(source)["fund-title"] == title
    assert f"earn 2 tickets for {title} here" in words(source)
    assert "<articles>" not in source


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("", "price is None"),
        ("0", "from 1 to 2147483647"),
        ("-1, mode='donate'", "from 0 to"),
        ("true", "price is True"),
        ("1.5", "price is 1.5"),
        ("'3'", "price is '3'"),
        ("2147483648", "from 1 to"),
        ("3, resource='https://elsewhere.example/'", "a path of this site"),
        ("3, resource='//elsewhere.example/'", "a path of this site"),
        ("3, resource='x'", "a path of this site"),
        ("3, mode='pay'", "what goes with its mode"),
        ("3, resource='/x', fund='articles'", "what goes with its mode"),
        ("3, resource='/x', mode='tickets'", "what goes with its mode"),
        ("3, fund='articles', mode='tickets'", "what goes with its mode"),
        ("3, mode='gamble'", "pay, donate, tickets"),
    ],
)
def test_arguments_that_make_no_sense_are_named(app: Flask, arguments: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        written(app, arguments)


def test_an_unknown_fund_is_named(app: Flask) -> None:
    with pytest.raises(UnknownFund, match="roads"):
        written(app, "3, fund='roads'")


def test_a_page_with_the_element_points_to_the_service(app: Flask) -> None:
    app.add_url_rule("/page", "page", lambda: render_template_string("{{ ticketminer_widget(1) }}"))
    assert app.test_client().get("/page").headers["X-TicketMiner-Service"] == "/ticketminer/"


def test_options_of_the_hosts_templates_stay_open(app: Flask) -> None:
    """Setting up must not make ``app.jinja_env``, after which a host's options are ignored."""
    assert "jinja_env" not in vars(app)


# Turned off


@pytest.fixture
def quiet(make_host: MakeHost) -> Flask:
    app = make_host(TICKETMINER_WIDGET=False, TICKETMINER_FUNDS=FUNDS)
    gate(app, "/x", lambda: "x", price=3)
    return app


@pytest.mark.parametrize("arguments", ["3, resource='/x'", "3", "3, fund='articles'", "0, fund='articles'"])
def test_turned_off_it_names_the_way_without(quiet: Flask, arguments: str) -> None:
    source = written(quiet, arguments)
    assert "<script" not in source
    assert "<ticket-miner" not in source
    assert attributes(source, "div").keys() == {"class", "lang", "dir"}
    assert "ticketminer program does it in a terminal" in words(source)
    assert "your device" not in words(source).lower()


def test_turned_off_the_402_page_runs_nothing(quiet: Flask) -> None:
    page = quiet.test_client().get("/x", headers=NAVIGATION).text
    assert "<script" not in page
    assert "ticket-miner" not in page
    assert cause(quiet.test_client().get("/ticketminer/element.js")) == (404, "no-such-asset")


# The 402 page


def test_the_402_page_offers_the_element_above_the_way_without(app: Flask) -> None:
    page = app.test_client().get("/x?a=1", headers=NAVIGATION).text
    found = attributes(page)
    assert (found["goal"], found["price"], found["resource"]) == ("pay", "3", "/x?a=1")
    assert page.index("<ticket-miner") < page.index("<details") < page.index('<form method="post"')
    assert re.search(r"<details [^>]*open>", page)


def test_a_donation_is_given_in_the_page_too(app: Flask) -> None:
    page = app.test_client().get("/ticketminer/donate?amount=4&fund=articles", headers=NAVIGATION).text
    found = attributes(page)
    assert (found["goal"], found["price"], found["fund"]) == ("donate", "4", "articles")
    assert "resource" not in found


def test_what_is_posted_is_not_paid_in_the_page(app: Flask) -> None:
    page = app.test_client().post("/x", data={"a": "1"}, headers=NAVIGATION)
    assert page.status_code == 402
    assert "<ticket-miner" not in page.text
    assert '<form method="post"' in page.text


def test_a_page_of_the_host_gets_the_element_as_a_function(make_host: MakeHost) -> None:
    def setup(app: Flask) -> None:
        TicketMiner(app).payment_required_handler(draw)

    def draw(*, widget: t.Callable[[], str], **context: object) -> str:
        return f"<main>{widget()}</main>"

    app = make_host(setup)
    gate(app, "/x", lambda: "x", price=3)
    page = app.test_client().get("/x", headers=NAVIGATION).text
    assert attributes(page)["price"] == "3"
    assert page.count("<script") == 1


# Pages and the tag


def test_the_script_has_an_address_that_stays(app: Flask) -> None:
    visitor = app.test_client()
    moved = visitor.get("/ticketminer/element.js")
    assert moved.status_code == 302
    assert moved.headers["Location"] == attributes(written(app, "1"))["assets"] + "element/element.js"
    assert moved.headers["Cache-Control"] == "public, max-age=60"


@pytest.mark.parametrize("page", ["wallet", "about"])
def test_pages_about_nobody_are_cacheable_and_set_no_cookie(app: Flask, page: str) -> None:
    reply = app.test_client().get(f"/ticketminer/{page}")
    assert (reply.status_code, reply.headers["Cache-Control"]) == (200, "public, max-age=60")
    assert "Set-Cookie" not in reply.headers
    assert reply.vary.to_header() == "Accept-Language"


@pytest.mark.parametrize("path", ["wallet", "about", "", "keys", "stats", "element.js", "assets/{}/core.js"])
def test_a_cookie_of_the_host_is_kept_by_nobody_elses_cache(make_host: MakeHost, path: str) -> None:
    def visits() -> None:
        session.permanent = True
        session["visits"] = session.get("visits", 0) + 1

    app = make_host()
    app.before_request(visits)
    tree = attributes(written(app, "1"))["assets"].split("/")[-2]
    reply = app.test_client().get(f"/ticketminer/{path.format(tree)}")
    assert reply.status_code < 400
    assert "Set-Cookie" in reply.headers
    assert reply.headers["Cache-Control"].startswith("private, max-age=")


def test_the_wallet_page_is_a_frame_that_says_what_it_needs(app: Flask) -> None:
    page = app.test_client().get("/ticketminer/wallet").text
    found = attributes(page, "main")
    assert found["id"] == "ticketminer-wallet"
    assert found["data-service"] == "/ticketminer/"
    assert f'<script type="module" src="{found["data-assets"]}pages/wallet.js"></script>' in page
    assert "takes JavaScript" in words(page)
    assert "<code>ticketminer wallet</code>" in page
    service = app.test_client().get("/ticketminer/").get_json()
    assert service["links"]["wallet"] == "/ticketminer/wallet"


def test_what_it_does_not_protect_against_is_said(app: Flask) -> None:
    said = words(app.test_client().get("/ticketminer/about").text)
    assert "a site that sends dishonest code" in said
    assert "whoever is on the network in between" in said
    assert "ticketminer program, which you install yourself, does" in said
