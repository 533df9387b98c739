"""The work for one site, step by step: jobs are renewed, shares outlive failures, and nothing is sent twice."""

from __future__ import annotations

import typing as t

import pytest
from bench import Answer, Bench, Recovery, ScriptedJob, ScriptedSite, refusal

from miner.engine import EventKind
from miner.engine.hashing import Hasher
from miner.errors import SiteRefused, SiteUnreachable, WalletBusy, WalletFull


def test_a_site_is_asked_for_a_job_and_its_share_is_sent() -> None:
    bench = Bench(ScriptedSite())
    assert bench.work.step() == 0
    job = bench.find(nonce=99).job
    assert bench.work.step() == 0
    assert bench.site.shares == [(job, 99)]
    assert bench.work.won == 1


def test_a_share_found_for_an_earlier_job_is_sent_with_that_job() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob("first"), ScriptedJob("second")]))
    bench.work.step()
    search = bench.board.next(0)
    assert search is not None
    bench.clock.time += 580
    bench.work.step()
    assert bench.board.next(0) is not search
    bench.work.searched(search, 1, [5])
    bench.work.step()
    assert [(job.name, nonce) for job, nonce in bench.site.shares] == [("first", 5)]


def test_a_job_that_cannot_be_searched_ends_the_work_for_its_site_alone() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob(nonce_offset=80)]))
    bench.work.step()
    assert "cannot be searched here" in str(bench.work.error)
    assert bench.board.next(0) is None


def test_a_job_is_renewed_before_it_expires() -> None:
    bench = Bench(ScriptedSite())
    bench.work.step()
    bench.clock.time += 569
    bench.work.step()
    assert len(bench.site.asked) == 1
    bench.clock.time += 1
    bench.work.step()
    assert len(bench.site.asked) == 2


def test_an_expired_job_is_not_searched_while_the_site_is_away() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob(expires_in=40)] + [SiteUnreachable("No answer.")] * 2))
    bench.work.step()
    bench.clock.time += 31
    bench.work.step()
    assert bench.board.next(0) is not None
    bench.clock.time += 9
    bench.work.step()
    assert bench.board.next(0) is None


def test_the_value_asked_for_is_the_power_of_two_that_takes_five_seconds() -> None:
    bench = Bench(ScriptedSite())
    bench.work.step()
    bench.hash(64 * 7, 2.0)  # 3.5 tickets a second: 17.5 in five seconds
    assert bench.work.wanted(bench.clock.now()) == 16


def test_a_much_faster_machine_than_thought_gets_a_larger_job() -> None:
    bench = Bench(ScriptedSite())
    bench.work.step()
    bench.hash(64 * 12, 3.0)
    bench.work.step()
    assert bench.site.asked == [1, 16]


def test_a_small_wobble_of_the_rate_fetches_no_new_job() -> None:
    bench = Bench(ScriptedSite())
    bench.work.step()
    bench.hash(64 * 2, 3.0)
    assert bench.work.step() > 0
    assert bench.site.asked == [1]


def test_no_more_is_asked_for_than_is_still_wanted() -> None:
    bench = Bench(ScriptedSite(), ceiling=3)
    bench.work.step()
    bench.hash(64 * 100, 1.0)
    assert bench.work.wanted(bench.clock.now()) == 2


def test_an_unreachable_site_is_asked_again_with_growing_pauses() -> None:
    bench = Bench(ScriptedSite(jobs=[SiteUnreachable("No answer.")] * 4))
    for _ in range(200):
        bench.clock.time += bench.work.step()
    assert [event.data["seconds"] for event in bench.events[:4]] == [1, 2, 4, 8]
    assert bench.kinds()[4] is EventKind.JOB


AWAY = Recovery(pending=1, problems=("Still no answer.",))


def test_a_share_outlives_transport_failures_and_is_submitted_once() -> None:
    site = ScriptedSite(answers=[SiteUnreachable("No answer.")], recoveries=[AWAY, AWAY])
    bench = Bench(site)
    bench.work.step()
    bench.find(nonce=42)
    for _ in range(50):
        bench.clock.time += bench.work.step()
    assert [nonce for _, nonce in site.shares] == [42]
    assert (site.recovered, bench.work.snapshot().accepted, bench.work.won) == (3, 1, 1)


def test_a_share_refused_when_sent_again_counts_as_refused() -> None:
    site = ScriptedSite(answers=[SiteUnreachable("No answer.")], recoveries=[Recovery(released=1)])
    bench = Bench(site)
    bench.work.step()
    bench.find()
    bench.work.step()
    bench.clock.time += 1
    bench.work.step()
    assert (bench.work.snapshot().refused, bench.work.snapshot().pending) == (1, 0)


def test_a_share_that_could_not_be_written_down_is_submitted_again() -> None:
    bench = Bench(ScriptedSite(answers=[WalletBusy("Busy.")]))
    bench.work.step()
    bench.find(nonce=3)
    for _ in range(10):
        bench.clock.time += bench.work.step()
    assert [nonce for _, nonce in bench.site.shares] == [3, 3]
    assert bench.work.snapshot().accepted == 1


def test_hashing_rests_while_shares_cannot_be_sent_and_goes_on_afterwards() -> None:
    bench = Bench(ScriptedSite(answers=[SiteUnreachable("No answer.")], recoveries=[AWAY]))
    bench.work.step()
    bench.find()
    bench.work.step()
    bench.clock.time += 1
    bench.work.step()
    assert bench.board.next(0) is None
    assert bench.work.snapshot().waiting == "Still no answer."
    bench.clock.time += 2
    bench.work.step()
    assert bench.board.next(0) is not None
    assert bench.work.snapshot().waiting is None


def test_a_busy_site_is_left_alone_for_as_long_as_it_says() -> None:
    bench = Bench(ScriptedSite(jobs=[refusal(503, "no-work", retry_after=30)]))
    bench.work.step()
    bench.clock.time += 29
    assert bench.work.step() == 1
    bench.clock.time += 1
    bench.work.step()
    assert len(bench.site.asked) == 2


@pytest.mark.parametrize("cause", ["expired-job", "stale-job"])
def test_a_job_that_is_over_is_replaced_and_its_share_counts_as_refused(cause: str) -> None:
    bench = Bench(ScriptedSite(answers=[refusal(409, cause)]))
    bench.work.step()
    bench.find()
    bench.work.step()
    assert bench.board.next(0) is None
    bench.work.step()
    assert bench.board.next(0) is not None
    picture = bench.work.snapshot()
    assert (picture.refused, picture.pending, picture.last_refusal) == (1, 0, f"Because of {cause}.")


def test_a_duplicate_share_is_refused_and_the_search_goes_on() -> None:
    bench = Bench(ScriptedSite(answers=[refusal(409, "duplicate-share")]))
    bench.work.step()
    search = bench.find()
    bench.work.step()
    assert bench.board.next(0) is search


def test_a_site_that_refuses_every_share_is_given_up() -> None:
    bench = Bench(ScriptedSite(answers=[refusal(422, "share-misses-target")] * 5))
    bench.work.step()
    for nonce in range(5):
        bench.find(nonce)
        bench.work.step()
    assert isinstance(bench.work.error, SiteRefused)
    assert bench.board.next(0) is None


def test_a_refused_job_gives_the_site_up_with_its_sentence() -> None:
    bench = Bench(ScriptedSite(jobs=[refusal(400, "unknown-algorithm")]))
    bench.work.step()
    assert bench.kinds() == [EventKind.FAILED]
    assert "Because of unknown-algorithm." in str(bench.work.error)


def test_a_wallet_that_cannot_write_ends_the_work() -> None:
    bench = Bench(ScriptedSite(answers=[WalletFull("The disk is full; free some space.")]))
    bench.work.step()
    bench.find()
    bench.work.step()
    assert isinstance(bench.work.error, WalletFull)


def test_a_job_for_an_algorithm_nobody_asked_for_is_nonsense() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob(algorithm="md5")]))
    bench.work.step()
    assert "md5" in str(bench.work.error)


def test_the_next_job_of_an_answer_is_taken_up() -> None:
    bench = Bench(ScriptedSite(answers=[Answer(next_job=ScriptedJob("next"))]))
    bench.work.step()
    bench.find()
    bench.work.step()
    search = bench.board.next(0)
    assert search is not None
    assert t.cast(ScriptedJob, search.job).name == "next"
    assert len(bench.site.asked) == 1


def test_a_share_found_while_the_site_is_away_is_written_down_at_once() -> None:
    site = ScriptedSite(answers=[SiteUnreachable("No answer.")])
    bench = Bench(site)
    bench.work.step()
    bench.find(nonce=1)
    bench.work.step()
    bench.find(nonce=2)
    bench.work.step()
    assert ([nonce for _, nonce in site.shares], site.written) == ([1], [2])
    bench.clock.time += 1
    bench.work.step()
    assert bench.work.snapshot().accepted == 2


def test_draining_sends_what_was_never_sent_and_submits_nothing_twice() -> None:
    site = ScriptedSite(answers=[SiteUnreachable("No answer.")], recoveries=[AWAY])
    bench = Bench(site)
    bench.work.step()
    bench.find(nonce=1)
    bench.work.step()
    bench.find(nonce=2)
    bench.work.drain()
    assert [nonce for _, nonce in site.shares] == [1, 2]
    assert bench.work.snapshot().pending == 1


def test_no_job_is_fetched_while_hashing_is_halted() -> None:
    bench = Bench(ScriptedSite())
    bench.board.halt()
    assert bench.work.step() > 0
    assert bench.site.asked == []


def test_a_job_whose_nonces_ran_out_is_replaced() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob(nonce_size=1, expected_hashes=2**60)]))
    bench.work.step()
    hasher = Hasher(0, bench.board, bench.clock, duty=100, on_slice=bench.work.searched)
    while hasher.slice() is not None:
        pass
    assert bench.work.step() == 0
    assert len(bench.site.asked) == 2
