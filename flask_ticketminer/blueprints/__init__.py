"""The endpoints, under one parent blueprint ``ticketminer``."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from flask_ticketminer.blueprints import assets, dashboard, job, keys, redeem, service, submit, wallet
from flask_ticketminer.errors import Problem
from flask_ticketminer.pages import page
from flask_ticketminer.paywall import wants_html
from flask_ticketminer.site import current_site
from flask_ticketminer.transport import check_production, check_transport
from flask_ticketminer.wire import http_problem, problem_response

_FOR_PEOPLE = frozenset({"ticketminer.redeem.donate", "ticketminer.redeem.redeem"})
"""Endpoints that a person's browser comes to, by link or form."""
_FILES = frozenset({"ticketminer.static", "ticketminer.assets.asset"})
"""Endpoints of files that are the same on every site."""


def make_blueprint(url_prefix: str) -> Blueprint:
    """Return the parent blueprint with its children; one is made for each application."""
    parent = Blueprint(
        "ticketminer",
        "flask_ticketminer",
        url_prefix=url_prefix,
        template_folder="templates",
        static_folder="static",
        static_url_path="/static",
    )
    for module in (service, job, submit, redeem, keys, dashboard, wallet, assets):
        parent.register_blueprint(module.make_blueprint())
    parent.before_request(_check_request)
    parent.before_app_request(_refuse_unrouted)
    parent.register_error_handler(Problem, _problem)
    parent.register_error_handler(HTTPException, http_problem)
    return parent


def _refuse_unrouted() -> Response | None:
    """Answer 404 and 405 below our prefix as all our errors: no blueprint is asked about what was not routed."""
    error = request.routing_exception
    if not isinstance(error, (NotFound, MethodNotAllowed)):
        return None
    return http_problem(error) if request.path.startswith(f"{current_site().settings.url_prefix}/") else None


def _check_request() -> None:
    if request.endpoint in _FILES:
        return
    site = current_site()
    request.max_content_length = site.settings.max_body
    check_production(site.app, site.settings)
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        check_transport(site.settings)


def _problem(problem: Problem) -> Response:
    """Return `problem` as a page for a browser's navigation, as a problem document for programs."""
    response = problem_response(problem)
    if request.endpoint in _FOR_PEOPLE and request.mimetype != "application/json" and wants_html():
        return page("ticketminer/problem.html", into=response, problem=problem)
    return response
