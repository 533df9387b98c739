"""What web processes know of a template, and when: by one clock that moves by hand, and in processes of their own."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest
from flask import render_template_string
from mines import COIN, coin, mining_app, pool_url
from torture_jobs import Wish, Workshop, header_job

from flask_ticketminer.work.templates import REREAD, Templates


@pytest.fixture
def shop(tmp_path: pathlib.Path, database_url: str) -> Iterator[Workshop]:
    """A site without work, on each kind of database."""
    found = Workshop(tmp_path, database_url)
    yield found
    found.close()


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def looking(shop: Workshop, time: Time) -> Templates:
    return Templates(shop.site.database, shop.site.clock, monotonic=time)


def current(templates: Templates) -> bytes | None:
    template = templates.current(COIN)
    return None if template is None else template.template_id


def test_a_new_template_is_used_after_one_interval_at_most(shop: Workshop) -> None:
    time = Time()
    templates = looking(shop, time)
    old = shop.publish(header_job())
    assert current(templates) == old
    time.now += REREAD - 0.01
    new = shop.publish(header_job(), tip="next")
    assert current(templates) == old
    time.now += 0.01
    assert current(templates) == new


def test_processes_that_began_with_the_old_template_go_on_with_the_new_one(shop: Workshop) -> None:
    old, published = shop.publish(header_job()), []
    cuts = shop.hand_out(
        Wish(1, templates=2), lambda: published.append(shop.publish(header_job(), tip="next"))
    )
    assert {cut.template_id for cut in cuts} == {old, *published}
    assert current(shop.site.templates) == published[0]


def test_pages_that_offer_to_mine_outlive_the_database_of_the_tickets(tmp_path: pathlib.Path) -> None:
    app = mining_app(
        tmp_path,
        TICKETMINER_DATABASE_URI="postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1",
        TICKETMINER_COINS={COIN: coin(pools=[pool_url(9)])},
    )
    with app.test_request_context():
        assert 'algorithm="scrypt"' in render_template_string(
            "{{ ticketminer_widget(price=1, resource='/paid') }}"
        )
    client = app.test_client()
    assert client.get("/ticketminer/").status_code == 200
    assert client.get("/ticketminer/tip/scrypt").json["cause"] == "database-busy"
