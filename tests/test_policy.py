"""The content security policy of our own pages, and where it keeps away."""

from __future__ import annotations

import pathlib

import pytest
from flask import Flask, Response, redirect
from hosts import MakeHost, gate
from pasting import NAVIGATION
from werkzeug.test import TestResponse

from flask_ticketminer import TicketMiner

HEADER = "Content-Security-Policy"
PAGES = {
    "/x": 402,
    "/ticketminer/donate?amount=1": 402,
    "/ticketminer/donate?amount=0": 400,
    "/ticketminer/dashboard": 200,
    "/ticketminer/wallet": 200,
    "/ticketminer/about": 200,
}


@pytest.fixture
def app(make_host: MakeHost) -> Flask:
    app = make_host()
    gate(app, "/x", lambda: "x")
    return app


def open_page(app: Flask, path: str = "/x") -> TestResponse:
    reply = app.test_client().get(path, headers=NAVIGATION)
    assert (reply.status_code, reply.mimetype) == (PAGES[path], "text/html")
    return reply


@pytest.mark.parametrize("path", PAGES)
def test_our_pages_run_nothing_inline_and_nothing_from_elsewhere(app: Flask, path: str) -> None:
    policy = dict(part.partition(" ")[::2] for part in open_page(app, path).headers[HEADER].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["base-uri"] == policy["object-src"] == "'none'"
    assert policy["frame-ancestors"] == "'self'"
    assert "unsafe" not in " ".join(policy.values())


@pytest.mark.parametrize("path", PAGES)
def test_forms_stay_here_except_where_they_lead_to_what_was_paid_for(app: Flask, path: str) -> None:
    stays = "form-action 'self'" in open_page(app, path).headers[HEADER]
    assert stays == (PAGES[path] != 402)


def test_answers_to_programs_have_no_policy(app: Flask) -> None:
    visitor = app.test_client()
    for path in ("/x", "/ticketminer/", "/ticketminer/stats", "/ticketminer/donate?amount=0"):
        assert HEADER not in visitor.get(path).headers


def test_pages_of_the_host_are_left_alone(app: Flask) -> None:
    app.add_url_rule("/free", "free", lambda: "free")
    assert HEADER not in app.test_client().get("/free").headers


def test_the_policy_can_be_turned_off(make_host: MakeHost) -> None:
    app = make_host(TICKETMINER_PAGE_POLICY=False)
    gate(app, "/x", lambda: "x")
    assert HEADER not in open_page(app).headers


@pytest.mark.parametrize("first", [True, False], ids=["before-ours", "after-ours"])
def test_a_policy_of_the_host_stands(make_host: MakeHost, first: bool) -> None:
    def strict(response: Response) -> Response:
        response.headers[HEADER] = "default-src 'none'"
        return response

    def setup(app: Flask) -> None:
        steps = [lambda: app.after_request(strict), lambda: TicketMiner(app)]
        for step in steps if first else reversed(steps):
            step()

    app = make_host(setup)
    gate(app, "/x", lambda: "x")
    assert open_page(app).headers[HEADER] == "default-src 'none'"


@pytest.mark.parametrize("template", ["402.html", "base.html"])
def test_a_template_of_the_host_brings_its_own_policy(
    app: Flask, tmp_path: pathlib.Path, template: str
) -> None:
    (tmp_path / "ticketminer").mkdir()
    (tmp_path / "ticketminer" / template).write_text("<style>p { color: red }</style><p>mine")
    app.template_folder = str(tmp_path)
    reply = open_page(app)
    assert reply.text.endswith("<p>mine")
    assert HEADER not in reply.headers


def test_a_page_that_the_host_draws_brings_its_own_policy(app: Flask) -> None:
    app.extensions["ticketminer"].extension.payment_required_handler(lambda **_: "<p>mine")
    assert HEADER not in open_page(app).headers


def test_what_was_paid_for_by_form_may_be_elsewhere(app: Flask) -> None:
    """A view that redirects to a file store: with ``form-action 'self'`` Chromium would stop there, after the payment."""
    gate(app, "/file", lambda: redirect("https://store.example/file"))
    reply = app.test_client().get("/file", headers=NAVIGATION)
    assert "form-action" not in reply.headers[HEADER]
