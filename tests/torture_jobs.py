"""Eight web processes that hand out jobs of the same templates: no two visitors may search the same."""

from __future__ import annotations

import multiprocessing.synchronize
import os
import pathlib
import typing as t
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mines import COIN, HARD, coin, mining_app, pool_url
from scripted_pool import JOB
from torture_server import processes
from visitor import Visitor

from flask_ticketminer.site import Site
from flask_ticketminer.work.job import read_job
from flask_ticketminer.work.stratum.jobs import HeaderJob
from flask_ticketminer.work.template import Template
from flask_ticketminer.work.upstreams import Upstream

PROCESSES, THREADS = 8, 2
JOBS = 1000
"""Jobs of a round of the torture."""
_RECORD = 16 + 8 + 80
_PATIENCE = 600


class Cut(t.NamedTuple):
    """A job that was handed out: where it was cut, by its own token, and what its visitor hashes."""

    template_id: bytes
    number: int
    blob: bytes


@dataclass(frozen=True)
class Wish:
    """What each process does: go on until it has handed out so many jobs, of so many templates, or there is no work."""

    jobs: int
    templates: int = 1


def header_job(
    *, extranonce2_size: int = 4, ntime: int = 0x5F000000, version_mask: str | None = None
) -> HeaderJob:
    """Return a job of a pool on whose network no test finds a block."""
    params = (*JOB[:4], tuple(JOB[4]), JOB[5], HARD, f"{ntime:08x}", True)
    return HeaderJob("job-1", params, "f000000f", extranonce2_size, version_mask, True, 2**240)


class Workshop:
    """A site with published templates, and the processes that hand them out."""

    def __init__(self, folder: pathlib.Path, url: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.url = folder, url
        self.site = site_at(folder, url)
        self.close = self.site.database.dispose
        self._upstream = Upstream(self.site.database, self.site.clock, COIN, holder="test", seconds=600)
        assert self._upstream.acquire() is None

    def publish(self, job: HeaderJob, *, tip: str = "tip") -> bytes:
        """Let jobs be cut from `job`, always in the same session; return the template's id."""
        template = Template(os.urandom(16), COIN, "session", "scrypt", tip, 2, job)
        self._upstream.publish(template)
        return template.template_id

    def hand_out(self, wish: Wish, meanwhile: Callable[[], object] = lambda: None) -> list[Cut]:
        """Return all jobs of all processes.

        :param meanwhile: called once each process has handed out a job.
        """
        context = processes()
        begun, asked = context.Barrier(PROCESSES + 1), (str(self.folder), self.url, wish)
        crew = [
            context.Process(target=_work, args=(*asked, begun, str(self._records(number))))
            for number in range(PROCESSES)
        ]
        for process in crew:
            process.start()
        begun.wait(_PATIENCE)
        meanwhile()
        for process in crew:
            process.join()
        assert [process.exitcode for process in crew] == [0] * PROCESSES
        return [cut for number in range(PROCESSES) for cut in _read(self._records(number))]

    def _records(self, number: int) -> pathlib.Path:
        return self.folder / f"records-{number}"


def site_at(folder: pathlib.Path, url: str) -> Site:
    entry = coin(pools=[pool_url(1)])
    app = mining_app(folder, TICKETMINER_DATABASE_URI=url, TICKETMINER_COINS={COIN: entry})
    return t.cast("Site", app.extensions["ticketminer"])


def doubled(cuts: t.Sequence[Cut]) -> int:
    """Return how many of the jobs somebody else has as well, by what is hashed and by their numbers."""
    blobs, numbers = {cut.blob for cut in cuts}, {(cut.template_id, cut.number) for cut in cuts}
    return len(cuts) - min(len(blobs), len(numbers))


def _read(path: pathlib.Path) -> Iterator[Cut]:
    data = path.read_bytes()
    for at in range(0, len(data), _RECORD):
        number = int.from_bytes(data[at + 16 : at + 24], "big")
        yield Cut(data[at : at + 16], number, data[at + 24 : at + _RECORD])


def _work(
    folder: str, url: str, wish: Wish, begun: multiprocessing.synchronize.Barrier, records: str
) -> None:
    site = site_at(pathlib.Path(folder), url)
    cuts = _hand_out(site, Wish(1), set())
    begun.wait(_PATIENCE)
    with ThreadPoolExecutor(THREADS) as threads:
        share = Wish(-(-wish.jobs // THREADS), wish.templates)
        seen = {cut.template_id for cut in cuts}
        for found in threads.map(lambda _: _hand_out(site, share, seen), range(THREADS)):
            cuts += found
    with open(records, "wb") as file:
        for cut in cuts:
            file.write(cut.template_id + cut.number.to_bytes(8, "big") + cut.blob)


def _hand_out(site: Site, wish: Wish, seen: t.Collection[bytes]) -> list[Cut]:
    visitor, cuts, templates = Visitor(site.app), [], set(seen)
    request = visitor.job_request(donate=True)
    while len(cuts) < wish.jobs or len(templates) < wish.templates:
        reply = visitor.post("/job", request)
        job: t.Any = reply.json
        if reply.status_code == 503:
            if job["cause"] == "no-work":
                break
            continue
        assert reply.status_code == 200, job
        origin = read_job(job["job"], site.jobs).upstream
        assert origin is not None
        cuts.append(Cut(origin.template_id, origin.number, bytes.fromhex(job["blob"])))
        templates.add(origin.template_id)
    return cuts
