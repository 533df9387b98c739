"""The files of the page miner: complete, unchanging under their address, and nothing else."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from hosts import MakeHost
from mnemonic import Mnemonic
from visitor import cause
from werkzeug.test import TestResponse

import flask_ticketminer.assets as module
from flask_ticketminer.assets import Assets, current_assets
from flask_ticketminer.blueprints.assets import WORKERS
from flask_ticketminer.site import current_site
from miner.pow import ALGORITHMS

MINER = pathlib.Path(__file__).parent.parent / "miner"


@pytest.fixture
def app(make_host: MakeHost) -> Flask:
    return make_host()


@pytest.fixture
def assets(app: Flask) -> Assets:
    with app.app_context():
        return current_assets()


def get(app: Flask, name: str, **headers: str) -> TestResponse:
    with app.test_request_context():
        address = current_site().asset_url(name)
    return app.test_client().get(address, headers=headers)


def test_every_file_of_the_page_miner_is_an_asset(assets: Assets) -> None:
    browser = {
        str(file.relative_to(MINER / "browser"))
        for file in (MINER / "browser").rglob("*")
        if file.suffix in (".js", ".css", ".json")
    }
    kernels = {f"wasm/{file.name}" for file in (MINER / "pow" / "wasm").glob("*.wasm")}
    assert assets.files.keys() == browser | kernels | {"english.txt"}
    assert {f"wasm/{name}.{kind}.wasm" for name in ALGORITHMS for kind in ("simd", "scalar")} <= kernels


def test_types_of_files(app: Flask, assets: Assets) -> None:
    kinds = {".wasm": "application/wasm", ".txt": "text/plain", ".json": "application/json"}
    kinds |= {".js": "text/javascript", ".css": "text/css"}
    for name in assets.files:
        reply = get(app, name)
        assert reply.mimetype == kinds[pathlib.PurePath(name).suffix]
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_an_address_never_changes_what_it_means(app: Flask) -> None:
    reply = get(app, "english.txt")
    assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    again = get(app, "english.txt", If_None_Match=reply.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    assert "Set-Cookie" not in reply.headers
    assert "Vary" not in reply.headers


def test_the_hash_is_over_names_and_contents(assets: Assets) -> None:
    total = hashlib.sha256()
    for name, asset in sorted(assets.files.items()):
        total.update(f"{name}\n{len(asset.data)}\n".encode() + asset.data)
    assert assets.hash == total.hexdigest()[:16]


def test_words_are_the_wallets(assets: Assets) -> None:
    assert assets.files["english.txt"].data.decode().splitlines() == Mnemonic("english").wordlist


@pytest.mark.parametrize("name", sorted(WORKERS))
def test_a_workers_script_brings_its_own_policy(make_host: MakeHost, name: str, folder: pathlib.Path) -> None:
    (folder / "browser" / "engine").mkdir(parents=True)
    (folder / "browser" / name).write_text("export {};\n")
    headers = get(make_host(DEBUG=True), name).headers
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'"
    )
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "types.d.ts",
        "../pow/errors.py",
        "wasm/../../errors.py",
        "..%2ferrors.py",
        "/etc/passwd",
        "english.txt%00.js",
        "english.txt/",
        "ENGLISH.TXT",
        "wasm",
    ],
)
def test_only_names_of_the_table_are_served(app: Flask, assets: Assets, name: str) -> None:
    reply = app.test_client().get(f"/ticketminer/assets/{assets.hash}/{name}", follow_redirects=True)
    assert cause(reply)[0] == 404
    assert reply.headers["Cache-Control"] == "no-store"


def test_another_tree_is_not_there(app: Flask) -> None:
    reply = app.test_client().get(f"/ticketminer/assets/{'0' * 16}/english.txt")
    assert cause(reply) == (404, "no-such-asset")
    assert "load the page again" in reply.get_json(force=True)["detail"]


def test_addresses_follow_prefix_and_mount_point(make_host: MakeHost) -> None:
    app = make_host(TICKETMINER_URL_PREFIX="/pay")
    with app.test_request_context(base_url="http://localhost/mounted/"):
        assert re.fullmatch(r"/mounted/pay/assets/[0-9a-f]{16}/core\.js", current_site().asset_url("core.js"))
        assert current_site().asset_url().endswith("/")


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A package ``miner`` of its own, with one script and no kernel."""
    for part in ("browser/messages/en", "pow/wasm"):
        (tmp_path / "miner" / part).mkdir(parents=True)
    (tmp_path / "miner" / "browser" / "one.js").write_text("export const n = 1;\n")
    real = module.files
    monkeypatch.setattr(module, "files", lambda name: tmp_path / "miner" if name == "miner" else real(name))
    return tmp_path / "miner"


@pytest.fixture
def reading() -> t.Iterator[None]:
    module._read.cache_clear()
    yield
    module._read.cache_clear()


@pytest.mark.usefixtures("reading")
def test_a_change_is_seen_in_debug_mode_only(make_host: MakeHost, folder: pathlib.Path) -> None:
    debugged, served = make_host(DEBUG=True), make_host()
    before = get(debugged, "one.js"), get(served, "one.js")
    file = folder / "browser" / "one.js"
    file.write_text("export const n = 2;\n")
    os.utime(file, (0, 0))
    assert get(debugged, "one.js").text == "export const n = 2;\n"
    assert get(served, "one.js").data == before[1].data
    assert get(debugged, "one.js").request.path != before[0].request.path


@pytest.mark.usefixtures("reading")
def test_threads_wait_for_the_one_that_reads(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = []

    def words() -> bytes:
        readers.append(threading.get_ident())
        time.sleep(0.1)
        return b"abandon\n"

    def read() -> Assets:
        with app.app_context():
            return current_assets()

    monkeypatch.setattr(module, "_words", words)
    with ThreadPoolExecutor(4) as threads:
        found = [thread.result() for thread in [threads.submit(read) for _ in range(4)]]
    assert len(readers) == 1
    assert all(assets is found[0] for assets in found)


@pytest.mark.usefixtures("reading")
def test_files_are_read_once(app: Flask, folder: pathlib.Path) -> None:
    assert get(app, "one.js").status_code == 200
    (folder / "browser" / "one.js").unlink()
    assert get(app, "one.js").status_code == 200
