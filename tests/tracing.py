"""How long the main thread of a page was busy without a break: Chromium's own trace."""

from __future__ import annotations

import queue
import typing as t
from dataclasses import dataclass

from cdp import Message, Session

CATEGORIES = ("devtools.timeline", "disabled-by-default-devtools.timeline", "toplevel", "__metadata")
_TASK = "RunTask"
_MAIN = "CrRendererMain"


@dataclass(frozen=True, slots=True)
class Task:
    """A task of the main thread: when it began, how long it took, and how long the processor worked for it, in milliseconds.

    `inside` names the longest thing done in it.
    """

    began: float
    took: float
    worked: float
    inside: str


class Trace:
    """Records while a ``with`` block runs; :attr:`tasks` are those of the page's main thread, the longest first."""

    def __init__(self, browser: Session, page: Session) -> None:
        self._browser, self._page = browser, page
        self._events: list[Message] = []
        self._done: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.tasks: list[Task] = []

    def __enter__(self) -> t.Self:
        self._browser.handlers.pop("Tracing.dataCollected", None)
        self._browser.handlers.pop("Tracing.tracingComplete", None)
        self._browser.on("Tracing.dataCollected", lambda event: self._events.extend(event["value"]))
        self._browser.on("Tracing.tracingComplete", lambda _: self._done.put(None))
        self._browser.send(
            "Tracing.start",
            transferMode="ReportEvents",
            traceConfig={"includedCategories": list(CATEGORIES), "recordMode": "recordUntilFull"},
        )
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            return
        # A mark in the page's own process tells which of the renderers is meant.
        mark = f"ticketminer-{id(self)}"
        self._page.send(
            "Runtime.evaluate", expression=f"performance.mark('{mark}'); console.timeStamp('{mark}')"
        )
        self._browser.send("Tracing.end")
        self._done.get(timeout=60)
        self.tasks = self._read(mark)

    @property
    def longest(self) -> Task:
        """The longest task."""
        return self.tasks[0]

    def _read(self, mark: str) -> list[Task]:
        renderer = next(e["pid"] for e in self._events if mark in str(e.get("args", "")))
        main = next(
            e["tid"]
            for e in self._events
            if e["pid"] == renderer and e["name"] == "thread_name" and e["args"]["name"] == _MAIN
        )
        spans = [
            e
            for e in self._events
            if e["pid"] == renderer and e["tid"] == main and e.get("ph") == "X" and "dur" in e
        ]
        tasks = [e for e in spans if e["name"] == _TASK]
        assert tasks, "the trace has no task of the page: the names of Chromium's events have changed"
        return sorted((self._task(e, spans) for e in tasks), key=lambda task: -task.took)

    def _task(self, task: Message, spans: list[Message]) -> Task:
        end = task["ts"] + task["dur"]
        within = [
            e
            for e in spans
            if task["ts"] <= e["ts"] <= end and e["name"] != _TASK and "RunTask" not in e["name"]
        ]
        longest = max(within, key=lambda e: e["dur"], default=task)
        return Task(
            task["ts"] / 1000, task["dur"] / 1000, task.get("tdur", task["dur"]) / 1000, str(longest["name"])
        )
