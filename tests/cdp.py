"""The Chrome DevTools Protocol, spoken through two pipes with a Chromium of one's own."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import queue
import signal
import threading
import typing as t
from collections.abc import Callable

Message = dict[str, t.Any]
Handler = Callable[[Message], None]

PATIENCE = 60.0
"""Seconds that the browser has for an answer."""


class CdpError(Exception):
    """The browser refused a command; its message."""


class BrowserGone(Exception):
    """The browser, or the target of the session, ended before it answered."""


class Connection:
    """A Chromium that this process started, and the line to it.

    Handlers of events run on the reading thread: they must not wait for an answer.
    """

    def __init__(self, program: str, arguments: t.Sequence[str], log: pathlib.Path) -> None:
        commands, write_end = os.pipe()
        read_end, events = os.pipe()
        # The browser reads commands at 3 and writes at 4; from high numbers neither can overwrite the other on the way.
        commands, events = _high(commands), _high(events)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.pid = os.posix_spawn(
            program,
            [program, *arguments, "--remote-debugging-pipe"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
                (os.POSIX_SPAWN_DUP2, commands, 3),
                (os.POSIX_SPAWN_DUP2, events, 4),
            ],
            setsid=True,
        )
        for descriptor in (commands, events, output):
            os.close(descriptor)
        self._write_end, self._read_end = write_end, read_end
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[str, queue.SimpleQueue[Message | None]]] = {}
        self._sessions: dict[str, Session] = {}
        self._gone = False
        self.browser = self.session("")
        self._reader = threading.Thread(target=self._read, name="chromium", daemon=True)
        self._reader.start()

    def session(self, session_id: str) -> Session:
        """Return the session of that id; the empty one is the browser itself."""
        with self._lock:
            return self._sessions.setdefault(session_id, Session(self, session_id))

    def attach(self, target: str) -> Session:
        """Return a new session with a target."""
        return self.session(
            self.browser.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        )

    def send(self, session_id: str, method: str, parameters: Message) -> Message:
        """Send a command and return what the browser answers.

        :raises CdpError: the browser refuses it.
        :raises BrowserGone: there is nobody to answer.
        :raises TimeoutError: there was no answer within :data:`PATIENCE`.
        """
        answer: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        number = next(self._numbers)
        self._waiting[number] = session_id, answer
        try:
            self._write(number, session_id, method, parameters)
            reply = answer.get(timeout=PATIENCE)
        except queue.Empty:
            raise TimeoutError(f"{method}: no answer within {PATIENCE:.0f} s") from None
        finally:
            self._waiting.pop(number, None)
        if reply is None:
            raise BrowserGone(method)
        if "error" in reply:
            raise CdpError(f"{method}: {reply['error'].get('message')}")
        return t.cast(Message, reply["result"])

    def post(self, session_id: str, method: str, parameters: Message) -> None:
        """Send a command without waiting for the answer."""
        with contextlib.suppress(BrowserGone):
            self._write(next(self._numbers), session_id, method, parameters)

    def kill(self) -> None:
        """End the browser and its children at once, as a power failure would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._end()

    def close(self) -> None:
        """Let the browser put its files in order and end."""
        with contextlib.suppress(BrowserGone, CdpError, TimeoutError):
            self.browser.send("Browser.close")
        self._end()

    def _end(self) -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._reader.join(PATIENCE)
        os.close(self._write_end)
        os.close(self._read_end)

    def _write(self, number: int, session_id: str, method: str, parameters: Message) -> None:
        message: Message = {"id": number, "method": method, "params": parameters}
        if session_id:
            message["sessionId"] = session_id
        data = json.dumps(message).encode() + b"\0"
        with self._lock:
            if self._gone:
                raise BrowserGone(method)
            try:
                while data:
                    data = data[os.write(self._write_end, data) :]
            except OSError as error:
                raise BrowserGone(method) from error

    def _read(self) -> None:
        rest = b""
        while data := os.read(self._read_end, 1 << 20):
            *messages, rest = (rest + data).split(b"\0")
            for message in messages:
                self._take(json.loads(message))
        with self._lock:
            self._gone = True
        self._give_up(None)

    def _take(self, message: Message) -> None:
        if "id" in message:
            _, answer = self._waiting.get(message["id"], (None, None))
            if answer is not None:
                answer.put(message)
            return
        session_id, event = message.get("sessionId", ""), message["method"]
        if event == "Inspector.targetCrashed":
            self._give_up(session_id)
        elif event == "Target.detachedFromTarget":
            self._give_up(message["params"]["sessionId"])
        with self._lock:
            session = self._sessions.get(session_id)
        if session is not None:
            for handler in session.handlers.get(event, ()):
                handler(message["params"])

    def _give_up(self, session_id: str | None) -> None:
        for waiting, answer in list(self._waiting.values()):
            if session_id in (waiting, None):
                answer.put(None)


class Session:
    """One target of the browser: commands to it, and handlers of its events."""

    def __init__(self, connection: Connection, session_id: str) -> None:
        self.connection = connection
        self.id = session_id
        self.handlers: dict[str, list[Handler]] = {}

    def send(self, method: str, **parameters: t.Any) -> Message:
        """Send a command and return what is answered; see :meth:`Connection.send`."""
        return self.connection.send(self.id, method, parameters)

    def post(self, method: str, **parameters: t.Any) -> None:
        """Send a command without waiting for an answer."""
        self.connection.post(self.id, method, parameters)

    def on(self, event: str, handler: Handler) -> None:
        """Call `handler` with the parameters of each `event`."""
        self.handlers.setdefault(event, []).append(handler)


def _high(descriptor: int) -> int:
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 32)
    os.close(descriptor)
    return moved
