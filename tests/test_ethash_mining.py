"""Mining jobs of ethash: few nonces, the tables of an epoch, and the mix beside the nonce."""

from __future__ import annotations

import json
import pathlib
import typing as t
from collections.abc import Iterator

import pytest
from bench import Bench, ScriptedJob, ScriptedSite
from fake_site import FakeSite, solve
from purses import SHOP

from miner import SiteClient, Wallet
from miner.engine import EventKind
from miner.engine.hashing import Hasher

pytest.importorskip("miner.pow._kernels", reason="the kernels were not compiled here")

from miner.pow import ethash
from miner.pow.ethash import cache, dataset, files

HEADER = bytes(range(32))
FIXED = bytes.fromhex("0000a1b2c3d4e5f6")
"""The nonce as a job shows it: all but its two low bytes are the site's and the pool's."""


@pytest.fixture(autouse=True)
def short_tables(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TICKETMINER_ETHASH_DIR", str(tmp_path / "ethash"))
    monkeypatch.setattr(files, "cache_size", lambda epoch, epoch_length: 64 * 61)
    monkeypatch.setattr(files, "dataset_size", lambda epoch, epoch_length: 128 * 2500)
    monkeypatch.setattr(cache, "dataset_size", lambda epoch, epoch_length: 128 * 2500)
    cache._open.clear()
    yield
    cache._open.clear()
    dataset._opened.clear()


def job(number: int = 0, **more: t.Any) -> ScriptedJob:
    members = {
        "algorithm": "ethash", "blob": HEADER + FIXED, "nonce_offset": 32, "nonce_size": 2, "expected_hashes": 2048,
        "epoch": number, "epoch_length": 30000, "seed": ethash.seed_hash(number), "expires_in": 300,
    }  # fmt: skip
    return ScriptedJob(**{**members, **more})


def hash_all(bench: Bench) -> None:
    hasher = Hasher(0, bench.board, bench.clock, duty=100, on_slice=bench.work.searched)
    while hasher.slice() is not None:
        pass


def test_shares_of_ethash_are_sent_with_their_mix() -> None:
    bench = Bench(ScriptedSite(jobs=[job(tip="a", poll=1)]))
    bench.work.step()
    hash_all(bench)
    while bench.work.snapshot().pending:
        bench.work.step()
    assert 10 < len(bench.site.shares) < 64
    for (found, nonce), mix in zip(bench.site.shares, bench.site.mixes, strict=True):
        whole = int.from_bytes(nonce.to_bytes(2, "little") + FIXED[2:], "little")
        assert mix is not None
        assert ethash.check_share(0, HEADER, whole, mix, found.target) is not None


@pytest.mark.parametrize("size", [2, 3])
def test_when_every_nonce_was_tried_there_is_a_new_job(size: int) -> None:
    bench = Bench(ScriptedSite(jobs=[job(nonce_size=size, expected_hashes=2**60), job()]))
    bench.work.step()
    search = bench.board.next(0)
    assert search is not None
    while not search.exhausted:
        search.take(2**12)
    bench.work.step()
    assert len(bench.site.asked) == 2


def test_the_tables_of_an_epoch_are_built_at_its_first_job_and_once() -> None:
    bench = Bench(ScriptedSite(jobs=[job(3, expires_in=40), job(3)]))
    bench.work.step()
    bench.clock.time += 31
    bench.work.step()
    assert bench.kinds() == [EventKind.WAITING, EventKind.JOB, EventKind.JOB]
    assert "epoch 3" in bench.events[0].text


def test_the_dataset_is_searched_where_the_visitor_has_built_it() -> None:
    ethash.prepare_dataset(0)
    Bench(ScriptedSite(jobs=[job()])).work.step()
    table = dataset.opened(0, 30000)
    assert table is not None
    assert table.full


def test_a_site_that_changes_the_epoch_again_and_again_is_given_up() -> None:
    bench = Bench(ScriptedSite(jobs=[job(epoch, expires_in=4) for epoch in range(10)]))
    for _ in range(6):
        bench.work.step()
        bench.clock.time += 5
    assert "changes the epoch" in str(bench.work.error)
    assert len(bench.site.asked) == 4


@pytest.mark.parametrize(
    "wrong", [{"epoch": None, "seed": None}, {"epoch": 5000}, {"seed": bytes(31) + b"x"}, {"blob": bytes(80)}, {"nonce_offset": 30}]
)  # fmt: skip
def test_a_job_of_ethash_that_contradicts_itself_ends_the_work_for_its_site(wrong: dict[str, t.Any]) -> None:
    bench = Bench(ScriptedSite(jobs=[job(**wrong)]))
    bench.work.step()
    assert "cannot be searched here" in str(bench.work.error)


def test_a_coin_with_another_algorithm_follows_one_of_ethash() -> None:
    bench = Bench(ScriptedSite(jobs=[job(expires_in=40), ScriptedJob("next")]))
    bench.work.step()
    bench.clock.time += 31
    bench.work.step()
    hashed = bench.find()
    bench.work.step()
    assert hashed.algorithm.name == "sha256d"
    assert bench.site.mixes == [None]


def test_the_mix_travels_as_hex(wallet: Wallet) -> None:
    site = FakeSite()
    client = SiteClient(SHOP, wallet, site.client())
    found = client.job(["sha256d"])
    client.submit(found, solve(found), HEADER)
    assert json.loads(site.bodies[-1])["mix"] == HEADER.hex()
