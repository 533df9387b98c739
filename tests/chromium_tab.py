"""A tab of Chromium: what a hand does in it, and what is heard from it."""

from __future__ import annotations

import base64
import json
import pathlib
import time
import typing as t
from dataclasses import dataclass

from browsers import LOADING, Fetched, Look, PageError, Tab
from cdp import BrowserGone, CdpError, Message, Session
from tracing import Trace

if t.TYPE_CHECKING:
    from chromium import ChromiumProfile

_KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    " ": (32, " "),
    "Escape": (27, ""),
    "Backspace": (8, ""),
    "Delete": (46, ""),
    "PageUp": (33, ""),
    "PageDown": (34, ""),
    "End": (35, ""),
    "Home": (36, ""),
    "ArrowLeft": (37, ""),
    "ArrowUp": (38, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
}
_MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}
_WITHOUT_WEBASSEMBLY = "delete globalThis.WebAssembly"
"""V8 has no switch for it but ``--jitless``, which makes JavaScript some fifty times slower as well."""
_SILENT = ("network", "deprecation", "intervention", "recommendation")
"""Sources of log entries that are no fault of a page: that an answer was 402 is told by :meth:`Tab.requests`."""


@dataclass(slots=True)
class _Exchange:
    method: str
    url: str
    status: int = 0
    size: int = 0
    cached: bool = False


class ChromiumTab(Tab):
    """A tab of Chromium.

    :ivar session: for what this class does not know.
    """

    def __init__(self, profile: ChromiumProfile, target: str) -> None:
        super().__init__(profile.look)
        self._profile, self.target = profile, target
        self._connection = profile.browser.connection
        self.session = self._connection.attach(target)
        self._exchanges: dict[tuple[str, str], _Exchange] = {}
        self._worlds: dict[str, int] = {}
        self.session.on("Page.javascriptDialogOpening", self._dismiss)
        self.session.send("Page.enable")
        self.wear(profile.look)
        if not self.look.webassembly:
            self.session.send("Page.addScriptToEvaluateOnNewDocument", source=_WITHOUT_WEBASSEMBLY)
        self._watch(self.session)

    def wear(self, look: Look) -> None:
        """Look different from now on, in the page that is open as well; WebAssembly stays as it was."""
        self.look = look
        width, height = look.size
        device = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        agent = {"userAgent": self._profile.browser.user_agent, "acceptLanguage": look.language}
        for command, parameters in (
            ("setDeviceMetricsOverride", device),
            ("setEmulatedMedia", {"features": _media(look)}),
            ("setScriptExecutionDisabled", {"value": not look.javascript}),
            ("setLocaleOverride", {"locale": look.language}),
            ("setUserAgentOverride", agent),
        ):
            self.session.send(f"Emulation.{command}", **parameters)

    def goto(self, url: str) -> None:
        error = self.session.send("Page.navigate", url=url).get("errorText")
        if error and error != "net::ERR_ABORTED":  # that is a download, or an answer without a body
            raise PageError(f"{url}: {error}")
        self._loaded()

    def reload(self) -> None:
        self._leave("Page.reload")

    def back(self) -> None:
        history = self.session.send("Page.getNavigationHistory")
        entry = history["entries"][history["currentIndex"] - 1]
        self._leave("Page.navigateToHistoryEntry", entryId=entry["id"])

    def evaluate(self, expression: str, *args: t.Any) -> t.Any:
        return self._run(f"(async (...args) => ({expression}\n))(...{json.dumps(args)})")

    def press(self, *keys: str) -> None:
        for combination in keys:
            *held, key = combination.replace("Space", " ").split("+")
            modifiers = sum(_MODIFIERS[name] for name in held)
            code, text = _KEYS.get(
                key, (ord(key.upper()) if len(key) == 1 else 0, key if len(key) == 1 else "")
            )
            event = {
                "key": key,
                "code": key if len(key) > 1 else "Space" if key == " " else f"Key{key.upper()}",
                "windowsVirtualKeyCode": code,
                "modifiers": modifiers,
            }
            commands = ["selectAll"] if combination == "Control+a" else []
            self.session.send(
                "Input.dispatchKeyEvent",
                type="keyDown" if text else "rawKeyDown",
                text=text if not modifiers & ~8 else "",
                commands=commands,
                **event,
            )
            self.session.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text: str) -> None:
        self.session.send("Input.insertText", text=text)

    def screenshot(self, file: pathlib.Path, *, full: bool = True) -> None:
        options: Message = {"format": "png"}
        if full:
            size = self.session.send("Page.getLayoutMetrics")["cssContentSize"]
            options |= {
                "captureBeyondViewport": True,
                "clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1},
            }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(self.session.send("Page.captureScreenshot", **options)["data"]))

    def show(self) -> None:
        self.session.send("Page.bringToFront")

    def close(self) -> None:
        self._profile.lost(self)
        self._connection.browser.send("Target.closeTarget", targetId=self.target)

    def crash(self) -> None:
        self._profile.lost(self)
        try:
            self.session.send("Page.crash")
        except BrowserGone:
            self._connection.browser.send("Target.closeTarget", targetId=self.target)

    def axe(self) -> list[str]:
        if self.look.javascript:
            return super().axe()
        # axe-core waits by timers, which stand still where scripts are disabled. Those of the page have been passed over by now.
        self.session.send("Emulation.setScriptExecutionDisabled", value=False)
        try:
            return super().axe()
        finally:
            self.session.send("Emulation.setScriptExecutionDisabled", value=True)

    def errors(self) -> list[str]:
        self._run("0")  # what was said before this answer has arrived when it arrives
        said, self.noises = self.noises, []
        return said

    def requests(self) -> list[Fetched]:
        return [Fetched(e.method, e.url, e.status, e.size, e.cached) for e in list(self._exchanges.values())]

    def trace(self) -> Trace:
        """Record what the main thread of the page does, in a ``with`` block: see :class:`tracing.Trace`."""
        return Trace(self._connection.browser, self.session)

    def _ask(self, body: str) -> t.Any:
        for _ in range(3):
            frame = self.session.send("Page.getFrameTree")["frameTree"]["frame"]
            document = frame["loaderId"]
            try:
                if document not in self._worlds:
                    world = self.session.send(
                        "Page.createIsolatedWorld", frameId=frame["id"], worldName="test"
                    )
                    self._worlds = {document: world["executionContextId"]}
                return self._run(f"(async () => {{ {body}\n}})()", contextId=self._worlds[document])
            except CdpError:  # the document went while we looked at it
                self._worlds.clear()
        raise PageError("the page keeps going away")

    def _run(self, expression: str, **options: t.Any) -> t.Any:
        try:
            answer = self.session.send(
                "Runtime.evaluate",
                expression=expression,
                awaitPromise=True,
                returnByValue=True,
                userGesture=True,
                **options,
            )
        except CdpError as error:
            if options:
                raise
            raise PageError(str(error)) from error
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def _mouse(self, x: float, y: float) -> None:
        for kind, buttons in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
            self.session.send(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x,
                y=y,
                button="none" if kind == "mouseMoved" else "left",
                buttons=buttons,
                clickCount=0 if kind == "mouseMoved" else 1,
            )

    def _leave(self, command: str, **parameters: t.Any) -> None:
        before = self._document()
        self.session.send(command, **parameters)
        self.until(lambda: self._document() != before, command)
        self._loaded()

    def _document(self) -> str:
        frame = self.session.send("Page.getFrameTree")["frameTree"]["frame"]
        return str(frame["loaderId"])

    def _loaded(self) -> None:
        deadline = time.monotonic() + LOADING
        while self._ask("return document.readyState") != "complete":
            if time.monotonic() > deadline:
                raise PageError("the page does not finish loading")
            time.sleep(0.01)

    # Events arrive on the reading thread

    def _watch(self, session: Session, where: str = "page") -> None:
        def called(event: Message) -> None:
            if event["type"] in ("error", "assert"):
                values = (a.get("value", a.get("description", a["type"])) for a in event["args"])
                self.noises.append(f"{where}: console: {' '.join(map(str, values))}")

        def thrown(event: Message) -> None:
            details = event["exceptionDetails"]
            text = details.get("exception", {}).get("description") or details["text"]
            self.noises.append(f"{where}: uncaught: {text}")

        def logged(event: Message) -> None:
            entry = event["entry"]
            if entry["level"] == "error" and entry["source"] not in _SILENT:
                self.noises.append(f"{where}: {entry['source']}: {entry['text']}")

        def attached(event: Message) -> None:
            info = event["targetInfo"]
            inner = self._connection.session(event["sessionId"])
            if info["type"] == "worker":
                self._watch(inner, "worker " + info["url"].rsplit("/", 1)[-1])
                if not self.look.webassembly:
                    inner.post("Runtime.evaluate", expression=_WITHOUT_WEBASSEMBLY)
            inner.post("Runtime.runIfWaitingForDebugger")

        for event, handler in (
            ("Runtime.consoleAPICalled", called),
            ("Runtime.exceptionThrown", thrown),
            ("Log.entryAdded", logged),
            ("Target.attachedToTarget", attached),
        ):
            session.on(event, handler)
        self._watch_network(session)
        for command in ("Runtime.enable", "Log.enable", "Network.enable"):
            session.post(command)
        # Workers wait until they are watched too, or their first requests would be missed.
        session.post("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True)

    def _watch_network(self, session: Session) -> None:
        def exchange(event: Message) -> _Exchange | None:
            return self._exchanges.get((session.id, event["requestId"]))

        def began(event: Message) -> None:
            request, key = event["request"], (session.id, event["requestId"])
            if "redirectResponse" in event:
                earlier = self._exchanges.pop(key)
                earlier.status = event["redirectResponse"]["status"]
                self._exchanges[session.id, f"{event['requestId']} before {len(self._exchanges)}"] = earlier
            self._exchanges[key] = _Exchange(request["method"], request["url"])

        def answered(event: Message) -> None:
            if found := exchange(event):
                found.status = event["response"]["status"]
                found.cached |= event["response"].get("fromDiskCache", False)

        def grew(event: Message) -> None:
            if found := exchange(event):
                found.size += event["dataLength"]

        def cached(event: Message) -> None:
            if found := exchange(event):
                found.cached = True

        session.on("Network.requestWillBeSent", began)
        session.on("Network.responseReceived", answered)
        session.on("Network.dataReceived", grew)
        session.on("Network.requestServedFromCache", cached)

    def _dismiss(self, event: Message) -> None:
        self.session.post("Page.handleJavaScriptDialog", accept=event["type"] == "beforeunload")


def _media(look: Look) -> list[dict[str, str]]:
    return [
        {"name": "prefers-color-scheme", "value": "dark" if look.dark else "light"},
        {"name": "prefers-reduced-motion", "value": "reduce" if look.reduced_motion else "no-preference"},
    ]
