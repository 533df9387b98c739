"""A page that mines for upstream, in real browsers: it asks for the tip or listens to it, and goes to the new work."""

from __future__ import annotations

import json
import time
import typing as t
from collections.abc import Iterable, Iterator

from browsers import Profile
from demo_sites import DemoSite, DemoSites
from purchases import ENDLESS, at
from visits import Widget
from werkzeug.wrappers import Response

JOB, SUBMIT = "POST /ticketminer/job", "POST /ticketminer/submit"
TIP, EVENTS = "GET /upstream/tip/yespower", "GET /upstream/events/yespower"
PATIENT = 90
"""Seconds, for machines that do much else."""


class Upstream:
    """Makes the local work of `site` look like upstream's; `tip` is what it is at."""

    def __init__(self, site: DemoSite, *, streams: bool = False) -> None:
        self.tip, self.streams, self.closed = "a", streams, False
        self.site, self._app = site, site.app.wsgi_app
        self.late = 0
        site.app.wsgi_app = self._wsgi
        site.alter("GET /ticketminer/", self._service)
        site.alter(JOB, lambda job: job.update(tip=self.tip, poll=1))
        site.alter(SUBMIT, self._submit)
        site.on(EVENTS, lambda _: Response(self._lines(), content_type="text/event-stream"), None)

    @property
    def document(self) -> str:
        return json.dumps({"tip": self.tip, "poll": 1, "spread": 0.25})

    def statuses(self) -> list[int]:
        return [seen.status for seen in self.site.seen if seen.line == TIP]

    def _service(self, service: dict[str, t.Any]) -> None:
        service["links"]["tip"] = "/upstream/tip/{algorithm}"
        if self.streams:
            service["links"]["tip_events"] = "/upstream/events/{algorithm}"

    def _submit(self, answer: dict[str, t.Any]) -> None:
        if self.late:
            self.late -= 1
            answer["upstream"] = "stale"

    def _wsgi(self, environ: dict[str, t.Any], start_response: t.Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != TIP.partition(" ")[2]:
            return self._app(environ, start_response)
        response = Response(self.document, content_type="application/json")
        response.headers["Cache-Control"] = "public, max-age=1"
        response.set_etag(self.tip)
        return response.make_conditional(environ)(environ, start_response)

    def _lines(self) -> Iterator[str]:
        told = ""
        while not self.closed:
            yield ":\n\n" if told == self.tip else f"data: {self.document}\n\n"
            told = self.tip
            time.sleep(0.1)


def mining(profile: Profile, site: DemoSite) -> Widget:
    widget = at(profile, site)
    widget.agree()
    widget.see("mining", PATIENT)
    return widget


def test_the_page_asks_for_the_tip_and_goes_to_the_new_work(profile: Profile, demos: DemoSites) -> None:
    upstream = Upstream(site := demos.shop(TICKETMINER_EFFORT=ENDLESS))
    widget = mining(profile, site)
    site.wait_asked(TIP, 3, seconds=PATIENT)
    assert upstream.statuses()[:3] == [200, 304, 304]
    asked = site.asked(JOB)
    upstream.tip = "b"
    site.wait_asked(JOB, asked + 1, seconds=PATIENT)
    widget.see("notice.upstream-moved", PATIENT)
    assert widget.tab.errors() == []


def test_the_page_listens_to_a_stream_where_there_is_one(profile: Profile, demos: DemoSites) -> None:
    upstream = Upstream(site := demos.shop(TICKETMINER_EFFORT=ENDLESS), streams=True)
    widget = mining(profile, site)
    site.wait_asked(EVENTS, seconds=PATIENT)
    asked = site.asked(JOB)
    upstream.tip = "b"
    site.wait_asked(JOB, asked + 1, seconds=PATIENT)
    upstream.closed = True
    site.wait_asked(EVENTS, 2, seconds=PATIENT)
    upstream.tip = "c"
    site.wait_asked(JOB, asked + 2, seconds=PATIENT)
    assert widget.tab.errors() == []


def test_a_share_that_came_late_is_paid_and_new_work_fetched(profile: Profile, demos: DemoSites) -> None:
    upstream = Upstream(site := demos.shop())
    upstream.late = 1
    widget = at(profile, site)
    widget.agree()
    widget.see("paid", PATIENT)
    assert site.paid() == 2
    assert upstream.late == 0
