"""The page's engine in real browsers: its workers, what it finds, and what it does without WebAssembly, memory or luck."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator

import pytest
from browsers import Profile
from engine_pages import Page, Row, served

from miner.pow import ALGORITHMS, target_for

IN_JAVASCRIPT = ("yespower", "scrypt", "sha256d")
EFFORT = {"yespower": 16, "scrypt": 64, "sha256d": 2**15, "neoscrypt": 64}
"""Expected hashes of a share, for a tenth of a second or so."""


def work(algorithm: str = "yespower", expected: int | None = None, **more: t.Any) -> Row:
    """Return a job of local work; its blob says for which algorithm it is."""
    blob = algorithm.encode().ljust(84, b"\x07")
    target = f"{target_for(expected or EFFORT[algorithm]):064x}"
    return {"algorithm": algorithm, "blob": blob.hex(), "target": target, **more}


def holds(job: Row, nonce: int) -> bool:
    at, size = job.get("nonceOffset", 76), job.get("nonceSize", 8)
    blob = bytearray.fromhex(job["blob"])
    blob[at : at + size] = nonce.to_bytes(size, "little")
    algorithm = ALGORITHMS[job["algorithm"]]
    return algorithm.meets(algorithm.hash(bytes(blob)), int(job["target"], 16))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def page(profile: Profile, url: str) -> Page:
    found = Page(profile, url)
    found.make()
    return found


def check_shares(page: Page, job: Row, count: int = 3) -> None:
    page.until(f"events.found.length >= {count}")
    found = [int(share["nonce"]) for share in page("events.found")]
    assert [nonce for nonce in found if not holds(job, nonce)] == []
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("algorithm", EFFORT)
def test_shares_are_found_with_simd(page: Page, algorithm: str) -> None:
    job = work(algorithm)
    page.mine(job)
    check_shares(page, job)
    assert page("events.kernels") == [["simd", None]]
    assert page.tab.errors() == []


def test_shares_are_found_without_simd(page: Page) -> None:
    page("plan.push('faulty/plain.js')")
    page.mine(work())
    check_shares(page, work())
    assert page("events.kernels") == [["scalar", "no-simd"]]


@pytest.mark.parametrize("algorithm", IN_JAVASCRIPT)
def test_a_policy_that_forbids_webassembly_is_named_and_javascript_used(
    profile: Profile, url: str, algorithm: str
) -> None:
    page = Page(profile, url, "forbidden")
    page.make()
    page.mine(work(algorithm))
    check_shares(page, work(algorithm))
    assert page("events.kernels") == [["javascript", "wasm-forbidden"]]


def test_without_webassembly_javascript_is_used(open_profile: Callable[..., Profile], url: str) -> None:
    page = Page(open_profile(webassembly=False), url)
    page.make()
    page.mine(work())
    check_shares(page, work())
    assert page("events.kernels") == [["javascript", "javascript-kernel"]]


def test_without_webassembly_neoscrypt_is_refused(open_profile: Callable[..., Profile], url: str) -> None:
    page = Page(open_profile(webassembly=False), url)
    page.make()
    page.mine(work("neoscrypt"))
    page.until("events.problems.length")
    assert page.problems == ["no-kernel"]
    assert page("alive()") == 0


def test_ethash_has_one_worker_and_gives_the_mix(page: Page) -> None:
    table = ethash_table()
    job = work("yespower", 8) | {
        "algorithm": "ethash",
        "blob": bytes(range(40)).hex(),
        "nonceOffset": 32,
        "epoch": 0,
    }
    page.make(threads=3)
    page("engine.search({ ...job(args[0]), seed: new Uint8Array(32) })", job)
    page("engine.go()")
    page.until("events.found.length >= 2")
    assert page("alive()") == 1
    for share in page("events.found"):
        mix, digest = table.hash(bytes(range(32)), int(share["nonce"]))
        assert bytes(share["mix"]) == mix
        assert int.from_bytes(digest, "big") <= int(job["target"], 16)


def test_only_the_low_bytes_of_the_nonce_of_ethash_are_searched(page: Page) -> None:
    table = ethash_table()
    data = bytes(range(40))
    job = work("yespower", 8) | {
        "algorithm": "ethash",
        "blob": data.hex(),
        "nonceOffset": 32,
        "nonceSize": 2,
        "epoch": 0,
    }
    page("engine.search({ ...job(args[0]), seed: new Uint8Array(32) })", job)
    page("engine.go()")
    page.until("events.found.length >= 2")
    for share in page("events.found"):
        nonce = int.from_bytes(int(share["nonce"]).to_bytes(2, "little") + data[34:], "little")
        mix, digest = table.hash(data[:32], nonce)
        assert bytes(share["mix"]) == mix
        assert int.from_bytes(digest, "big") <= int(job["target"], 16)


def test_another_algorithm_has_a_rate_of_its_own(page: Page) -> None:
    page.mine(work("sha256d", 2**60))
    page.until("engine.rate")
    before = page("engine.rate")
    assert page("(engine.search(job(args[0])), engine.rate)", work("yespower", 2**40, token="other")) is None
    page.until("engine.rate")
    assert page("engine.algorithm") == "yespower"
    assert page("engine.rate") < before / 10


def ethash_table() -> t.Any:
    from miner.pow.ethash import computed

    return computed(0)


def test_hashes_and_rate_are_told(page: Page) -> None:
    page.make(duty=0.5)
    page.mine(work(expected=2**40))
    page.until("events.stats.length > 12 && engine.rate")
    stats = page("events.stats")
    hashes, seconds = (sum(row[name] for row in stats) for name in ("hashes", "seconds"))
    assert hashes > 0
    assert page("engine.rate") == pytest.approx(hashes / seconds, rel=0.7)
    assert [row["seconds"] for row in stats if row["seconds"] > 2] == []


def test_it_halts_and_goes_on(page: Page) -> None:
    page.mine(work(expected=2**40))
    page.until("hashes() > 0")
    page("engine.halt()")
    halted = page("hashes()")
    page("sleep(400)")
    assert page("hashes()") == halted
    page("engine.go()")
    page.until(f"hashes() > {halted}")
    assert page("events.problems") == []


def test_it_halts_within_50_ms(page: Page) -> None:
    """The best of some tries, since the machine of a test has other things to do."""
    page.mine(work("sha256d", 2**60))
    page.until("hashes() > 0")
    times = page(
        """(async () => {
          const times = [];
          for (let i = 0; i < 6; i++) {
            await until(() => engine.rate !== null && alive());
            await sleep(300);
            const began = performance.now();
            await engine.halt();
            times.push(performance.now() - began);
            engine.go();
          }
          return times;
        })()"""
    )
    assert min(times) < 35


def parts_of(page: Page, token: str = "job") -> list[range]:
    return [
        range(int(part["start"]), int(part["start"]) + int(part["count"]))
        for part in page("parts")
        if part["token"] == token
    ]


@pytest.mark.parametrize("size", [8, 4], ids=["8 bytes", "4 bytes"])
def test_no_part_of_the_nonces_is_given_out_twice(page: Page, size: int) -> None:
    page.make(threads=3)
    page.mine(work("sha256d", 2**60, nonceSize=size))
    page.until("hashes() > 0")
    for threads in (5, 1, 2):
        page(f"engine.threads = {threads}")
        page("sleep(200)")
    page("engine.search(null)")
    page("sleep(200)")
    page("engine.search(job(args[0]))", work("sha256d", 2**60, nonceSize=size))
    page("sleep(300)")
    parts, space = parts_of(page), 1 << 8 * size
    whole = space // (2**16 if size > 4 else 64)
    starts: dict[int, list[int]] = {}
    for part in parts:
        starts.setdefault(part.stop, []).append(part.start)
    # What is left of a part is given out again, from behind what was tried.
    assert [began for began in starts.values() if began != sorted(began)] == []
    assert {end - began[0] for end, began in starts.items()} == {whole}
    first = parts[0].stop
    assert {(end - first) % whole for end in starts} == {0}
    assert len({end % space for end in starts}) == len(starts) >= 5


def test_no_nonce_is_left_out_or_tried_twice_whatever_is_changed_meanwhile(page: Page) -> None:
    job = work("sha256d", 2**16, nonceSize=3, nonceOffset=79)
    page.make(threads=2)
    page.mine(job)
    for threads in (4, 1, 3):
        page("sleep(150)")
        page(f"engine.threads = {threads}")
    page("engine.search(null)")
    page("sleep(500)")
    assert page("events.exhausted") == []
    page("engine.search(job(args[0]))", job)
    page.until(f"events.exhausted.length && hashes() === {2**24}")
    scan = ALGORITHMS["sha256d"].scan(
        bytes.fromhex(job["blob"]), target_for(2**16), count=2**24, nonce_offset=79, nonce_size=3
    )
    assert sorted(int(share["nonce"]) for share in page("events.found")) == [nonce for nonce, _ in scan.hits]


def test_every_nonce_is_tried_once_and_then_the_job_is_exhausted(page: Page) -> None:
    job = work("sha256d", 4, nonceSize=2, nonceOffset=80)
    page.make(threads=2)
    page.mine(job)
    page.until("events.exhausted.length")
    page.until("hashes() === 65536")
    found = sorted(int(share["nonce"]) for share in page("events.found"))
    scan = ALGORITHMS["sha256d"].scan(
        bytes.fromhex(job["blob"]), target_for(4), count=2**16, nonce_offset=80, nonce_size=2
    )
    assert found == [nonce for nonce, _ in scan.hits]
    assert page("events.exhausted") == ["job"]


def test_a_new_job_is_searched_from_the_next_slice_on(page: Page) -> None:
    page.make(threads=2)
    page.mine(work(token="old"))
    page.until("events.found.length")
    page("engine.search(job(args[0]))", work("yespower", token="new"))
    # The other thread ends the slice it is at, which may take as long as several shares of this one.
    page.until("events.found.slice(-6).every((share) => share.token === 'new')")
    begun = page("events.found.length")
    page.until(f"events.found.length > {begun + 6}")
    assert "old" not in page("events.found.map((share) => share.token)")[begun:]
    assert page("alive()") == 2


def test_threads_come_and_go(page: Page) -> None:
    page.mine(work(expected=2**40))
    for threads in (3, 1, 2):
        page(f"engine.threads = {threads}")
        page.until(f"alive() === {threads}")
    assert page("events.problems") == []


def test_workers_for_which_there_is_no_memory_are_done_without(page: Page) -> None:
    page("plan.push('engine/hasher.js', 'faulty/poor.js', 'faulty/poor.js')")
    page.make(threads=3)
    page.mine(work())
    check_shares(page, work())
    page.until("alive() === 1")
    assert page.problems == ["fewer-threads"] * 2
    assert page("events.problems.at(-1).values") == {"threads": 1}
    page("engine.threads = 2")
    page.until("alive() === 2")


def test_no_memory_at_all_ends_it(page: Page) -> None:
    page("plan.push('faulty/poor.js', 'faulty/poor.js')")
    page.make(threads=2)
    page.mine(work())
    page.until("events.problems.length === 2")
    assert page.problems == ["fewer-threads", "out-of-memory"]
    assert page("alive()") == 0
    page("engine.go()")
    check_shares(page, work())


def test_a_worker_that_dies_is_replaced(page: Page) -> None:
    page("plan.push('faults/dies.js', 'faults/dies.js')")
    page.mine(work())
    check_shares(page, work())
    assert page("workers.length") == 3
    assert page.problems == []


def test_workers_that_keep_dying_are_given_up(page: Page) -> None:
    page("plan.push(...Array(9).fill('faults/dies.js'))")
    page.mine(work())
    page.until("events.problems.length")
    assert page.problems == ["engine-failed"]
    assert page("[workers.length, alive()]") == [4, 0]


def test_a_device_that_computes_wrongly_sends_nothing(page: Page) -> None:
    page("plan.push(...Array(9).fill('faulty/wrong.js'))")
    page.mine(work(expected=2**40))
    page.until("events.problems.length")
    assert page.problems == ["engine-failed"]
    assert page("events.found") == []


def test_a_worker_that_hears_nothing_is_ended(page: Page) -> None:
    page("plan.push('faults/deaf.js')")
    page.mine(work())
    page("sleep(500)")
    page("engine.halt()")
    assert page("alive()") == 0
    page("engine.go()")
    check_shares(page, work())


def test_a_script_that_is_not_there_is_called_blocked(page: Page) -> None:
    page("plan.push(...Array(9).fill('faults/none.js'))")
    page.mine(work())
    page.until("events.problems.length")
    assert page.problems == ["engine-blocked"]


def test_modules_that_are_not_there_are_called_blocked(profile: Profile, url: str) -> None:
    page = Page(profile, url, "lost")
    page.make()
    page.mine(work())
    page.until("events.problems.length")
    assert page.problems == ["engine-blocked"]
    assert page("alive()") == 0


def test_work_that_cannot_be_computed_is_refused(page: Page) -> None:
    page.mine(work(nonceOffset=80))
    page.until("events.problems.length")
    assert page.problems == ["bad-job"]


def test_nothing_is_loaded_before_it_goes_and_nothing_stays_when_it_is_closed(page: Page) -> None:
    page("engine.search(job(args[0]))", work())
    assert page("workers.length") == 0
    page("engine.go()")
    page.until("hashes() > 0")
    page("engine.threads = 4")
    page("sleep(300)")
    page("(engine.threads = 1, engine.close())")
    assert page("alive()") == 0
