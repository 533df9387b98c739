"""The picture shop: what is free, what is not, and that payers get exactly the original."""

from __future__ import annotations

import html
import re
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from PIL import Image, ImageChops

import demo_shop
from demo_shop import paint
from flask_ticketminer.testing import TicketClient, wallet

ORIGINALS = Path(demo_shop.__file__).parent / "originals"
PRICES = {"first-light": 1, "estuary": 2, "birches": 3, "dunes": 4}

MakeShop = t.Callable[[], Flask]


@pytest.fixture
def make_shop(tmp_path: Path) -> MakeShop:
    def make() -> Flask:
        return demo_shop.create_app(
            {
                "TESTING": True,
                "SECRET_KEY": "a secret for this test only",
                "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/shop.sqlite",
            }
        )

    return make


def test_the_gallery_shows_four_pictures_and_their_prices(make_shop: MakeShop) -> None:
    page = make_shop().test_client().get("/").text
    assert re.findall(r'class="price">(\d) tickets?<', page) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("name", PRICES)
def test_a_picture_page_names_the_command_that_buys_it(make_shop: MakeShop, name: str) -> None:
    page = make_shop().test_client().get(f"/pictures/{name}").text
    assert f"ticketminer get --mine http://localhost/pictures/{name}/original" in page


@pytest.mark.parametrize("name", PRICES)
def test_an_original_is_not_served_unpaid(make_shop: MakeShop, name: str) -> None:
    reply = make_shop().test_client().get(f"/pictures/{name}/original")
    assert reply.status_code == 402
    assert reply.get_json()["amount"] == str(PRICES[name])


@pytest.mark.parametrize("name", PRICES)
def test_who_pays_gets_the_original_byte_for_byte(make_shop: MakeShop, name: str) -> None:
    reply = TicketClient(make_shop(), tickets=PRICES[name]).get(f"/pictures/{name}/original")
    assert reply.status_code == 200
    assert reply.data == (ORIGINALS / f"{name}.png").read_bytes()
    reply.close()


def test_a_bought_picture_can_be_fetched_again_without_paying(make_shop: MakeShop) -> None:
    visitor = TicketClient(make_shop(), tickets=2)
    for _ in range(2):
        reply = visitor.get("/pictures/estuary/original")
        assert reply.status_code == 200
        reply.close()


def test_a_browser_without_scripts_pays_with_the_form(make_shop: MakeShop) -> None:
    site = make_shop()
    browser = site.test_client()
    page = browser.get("/pictures/estuary/original", headers={"Accept": "text/html"})
    assert page.status_code == 402
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    with wallet(site, tickets=2) as visitor:
        fields["tickets"] = visitor.send("http://localhost", 2)
    reply = browser.post("/ticketminer/redeem", data=fields, follow_redirects=True)
    assert reply.data == (ORIGINALS / "estuary.png").read_bytes()
    reply.close()


def test_a_quote_in_the_address_stays_inside_the_command(make_shop: MakeShop) -> None:
    page = (
        make_shop()
        .test_client()
        .get("/pictures/estuary/original?x=';reboot;'", headers={"Accept": "text/html"})
    )
    (command,) = re.findall(r"<code>(ticketminer pay .*?)</code>", page.text)
    assert html.unescape(command).count("'") == 2


def test_a_picture_that_does_not_exist_is_never_charged(make_shop: MakeShop) -> None:
    assert make_shop().test_client().get("/pictures/mona-lisa/original").status_code == 404


def test_originals_cannot_be_reached_around_the_gate(make_shop: MakeShop) -> None:
    visitor = make_shop().test_client()
    for path in ("/static/originals/dunes.png", "/static/../originals/dunes.png", "/originals/dunes.png"):
        assert visitor.get(path).status_code == 404


def test_opening_the_shop_again_hangs_nothing_twice(make_shop: MakeShop) -> None:
    make_shop()
    assert make_shop().test_client().get("/").text.count('class="price"') == 4


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "instance" / "shop.key"
    assert demo_shop.kept_secret(file) == demo_shop.kept_secret(file)
    assert len(demo_shop.kept_secret(file)) == 64
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", PRICES)
def test_painting_again_gives_the_committed_picture(name: str) -> None:
    with Image.open(ORIGINALS / f"{name}.png") as committed:
        assert ImageChops.difference(paint.PRINTS[name]().finished(), committed).getbbox() is None


@pytest.mark.parametrize("name", PRICES)
def test_a_thumbnail_is_smaller_and_carries_the_watermark(name: str) -> None:
    with (
        Image.open(ORIGINALS / f"{name}.png") as original,
        Image.open(ORIGINALS.parent / "static" / "thumbnails" / f"{name}.jpg") as thumbnail,
    ):
        assert thumbnail.size == (original.width // 2, original.height // 2)
        marks = ImageChops.difference(original.resize(thumbnail.size), thumbnail).convert("L")
        assert marks.point(lambda level: 255 * (level > 40)).getbbox() is not None
