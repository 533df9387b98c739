"""Debian's Firefox ESR, driven through its Marionette port."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import typing as t

from browsers import HOSTS, LOADING, PATIENCE, Browser, Look, PageError, Profile, Tab
from marionette import Marionette, MarionetteError

_PREFERENCES: dict[str, object] = {
    "marionette.port": 0,  # any free one; Firefox writes it into the profile
    "privacy.userContext.enabled": True,  # containers: profiles of tests within one process
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "browser.tabs.warnOnClose": False,
    "browser.tabs.unloadOnLowMemory": False,
    "browser.sessionstore.resume_from_crash": False,
    "toolkit.startup.max_resumed_crashes": -1,
    "datareporting.policy.dataSubmissionEnabled": False,
    "devtools.console.stdout.content": True,  # console.error of pages and workers is read from there
    "dom.min_background_timeout_value_without_budget_throttling": 1000,
    "network.dns.localDomains": ",".join(HOSTS),
    # Nothing but this machine is asked for anything: what is not local goes to a proxy that is not there.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": ",".join(("localhost", "127.0.0.1", *HOSTS)),
    "services.settings.server": "data:,",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.download.folderList": 2,
    "browser.download.always_ask_before_handling_new_types": False,
    "browser.download.alwaysOpenPanel": False,
    "dom.disable_open_during_load": False,
    "dom.security.https_first": False,
}
_KEYS = {
    "Tab": "\ue004",
    "Enter": "\ue006",
    "Space": " ",
    "Escape": "\ue00c",
    "Backspace": "\ue003",
    "Delete": "\ue017",
    "PageUp": "\ue00e",
    "PageDown": "\ue00f",
    "End": "\ue010",
    "Home": "\ue011",
    "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013",
    "ArrowRight": "\ue014",
    "ArrowDown": "\ue015",
    "Shift": "\ue008",
    "Control": "\ue009",
    "Alt": "\ue00a",
    "Meta": "\ue03d",
}

_OPEN = """
const container = args[0];
const principal = Services.scriptSecurityManager.getSystemPrincipal();
const tab = gBrowser.addTab("about:blank", { userContextId: container, triggeringPrincipal: principal });
gBrowser.selectedTab = tab;
"""
_DRESS = """
const [size, dark, reduced, language, javascript] = args;
const browser = gBrowser.selectedBrowser, context = browser.browsingContext;
context.prefersColorSchemeOverride = dark ? "dark" : "light";
context.prefersReducedMotionOverride = reduced ? "reduce" : "no-preference";
context.languageOverride = language;
context.allowJavascript = javascript;
const need = { width: size[0] + 60, height: size[1] + 200 };
if (window.outerWidth < need.width || window.outerHeight < need.height) {
  window.resizeTo(Math.max(window.outerWidth, need.width), Math.max(window.outerHeight, need.height));
}
browser.style.setProperty("min-width", "0");
browser.style.setProperty("min-height", "0");
browser.style.setProperty("width", `${size[0]}px`);
browser.style.setProperty("height", `${size[1]}px`);
"""
_REMOVE = """
const crashed = gBrowser.selectedTab;
if (gBrowser.tabs.length === 1) gBrowser.addTab("about:blank", {
  triggeringPrincipal: Services.scriptSecurityManager.getSystemPrincipal() });
gBrowser.removeTab(crashed);
"""
_FORGET = """
const { ContextualIdentityService } = ChromeUtils.importESModule("resource://gre/modules/ContextualIdentityService.sys.mjs");
ContextualIdentityService.remove(args[0]);
await new Promise((resolve) => Services.clearData.deleteDataFromOriginAttributesPattern(
  { userContextId: args[0] }, { onDataDeleted: resolve }));
"""
_FAULTS = """
const found = Services.console.getMessageArray().filter((message) => message instanceof Ci.nsIScriptError)
  .filter((error) => !(error.flags & (Ci.nsIScriptError.warningFlag | Ci.nsIScriptError.infoFlag)))
  .filter((error) => /^https?:/.test(error.sourceName) || /CSP|content javascript|DOM Worker/i.test(error.category))
  .map((error) => `${error.category} ${error.sourceName.replace(/^.*\\//, "")}: ${error.errorMessage}`);
Services.console.reset();
return found;
"""


class PageGone(PageError):
    """Another page took its place while it was asked."""


class FirefoxTab(Tab):
    """A tab of Firefox."""

    def __init__(self, profile: FirefoxProfile, handle: str) -> None:
        super().__init__(profile.look)
        self._profile, self.handle = profile, handle
        self._firefox = profile.browser

    def goto(self, url: str) -> None:
        self._leave("WebDriver:Navigate", url=url)

    def reload(self) -> None:
        self._leave("WebDriver:Refresh")

    def back(self) -> None:
        self._leave("WebDriver:Back")

    def evaluate(self, expression: str, *args: t.Any) -> t.Any:
        # The script has a global object of its own, whose prototype is the window.
        body = f"const globalThis = window, self = window; return (async () => ({expression}\n))()"
        return self._run(f"async (...args) => {{ {body} }}", args, None)

    def press(self, *keys: str) -> None:
        for combination in keys:
            names = [_KEYS.get(name, name) for name in combination.split("+")]
            actions = [{"type": "keyDown", "value": name} for name in names]
            actions += [{"type": "keyUp", "value": name} for name in reversed(names)]
            self._act({"type": "key", "id": "keyboard", "actions": actions})

    def type(self, text: str) -> None:
        actions = [{"type": kind, "value": char} for char in text for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": actions})

    def screenshot(self, file: pathlib.Path, *, full: bool = True) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = self._line()("WebDriver:TakeScreenshot", full=full)
        file.write_bytes(base64.b64decode(picture))

    def show(self) -> None:
        self._firefox.line("WebDriver:SwitchToWindow", handle=self.handle, focus=True)
        self._firefox.current = self.handle

    def close(self) -> None:
        line = self._line()
        self._profile.lost(self)
        if len(line("WebDriver:GetWindowHandles")) == 1:  # the last tab takes the browser with it
            line.chrome(_OPEN, 0)
        line("WebDriver:CloseWindow")
        self._firefox.current = None

    def crash(self) -> None:
        self.show()
        pid = self._firefox.line.chrome(
            "return gBrowser.selectedBrowser.browsingContext.currentWindowGlobal.osPid"
        )
        os.kill(pid, signal.SIGKILL)
        self._firefox.line.chrome(_REMOVE)
        self._profile.lost(self)
        self._firefox.current = None

    def errors(self) -> list[str]:
        return [*self._firefox.line.chrome(_FAULTS), *self._firefox.console()]

    def _line(self) -> Marionette:
        """Return the line to the browser, this tab being the one that commands are for."""
        if self._firefox.current != self.handle:
            self._firefox.line("WebDriver:SwitchToWindow", handle=self.handle, focus=False)
            self._firefox.current = self.handle
        return self._firefox.line

    def _leave(self, command: str, **parameters: t.Any) -> None:
        """Give a command that leads to another document, and wait until it is loaded or a file is downloaded instead."""
        here, files = time.monotonic(), set(self._profile.downloads.iterdir())
        self._ask(f"globalThis.document_left = {here}")
        try:
            self._line()(command, **parameters)
        except MarionetteError as error:
            raise PageError(f"{command} {parameters}: {error}") from error
        deadline = here + LOADING
        while True:
            with contextlib.suppress(PageError):  # there is no document between two documents
                left, state, address = self._ask(
                    "return [globalThis.document_left, document.readyState, document.documentURI]"
                )
                if left != here and state == "complete":
                    break
            if set(self._profile.downloads.iterdir()) - files:
                return
            if time.monotonic() > deadline:
                raise PageError(f"{command} {parameters}: the page does not finish loading")
            time.sleep(0.01)
        if address.startswith("about:neterror"):
            raise PageError(f"{command} {parameters}: {address}")

    def _ask(self, body: str) -> t.Any:
        for _ in range(2):
            with contextlib.suppress(PageGone):  # a page that has just come takes the place of an empty one
                return self._run(f"async () => {{ {body}\n}}", (), "test")
        return self._run(f"async () => {{ {body}\n}}", (), "test")

    def _run(self, function: str, args: t.Sequence[t.Any], sandbox: str | None) -> t.Any:
        script = f"return ({function})(...arguments).then((value) => [value])"
        try:
            result = self._line()(
                "WebDriver:ExecuteScript", script=script, args=args, sandbox=sandbox, newSandbox=False
            )
        except MarionetteError as error:
            raise PageError(str(error)) from error
        if result is None:
            raise PageGone("the page went away")
        return result[0]

    def _act(self, *sources: dict[str, t.Any]) -> None:
        self._line()("WebDriver:PerformActions", actions=sources)

    def _mouse(self, x: float, y: float) -> None:
        move = {"type": "pointerMove", "x": round(x), "y": round(y), "origin": "viewport"}
        buttons = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self._act(
            {
                "type": "pointer",
                "id": "mouse",
                "parameters": {"pointerType": "mouse"},
                "actions": [move, *buttons],
            }
        )


class FirefoxProfile(Profile):
    """A container of the process; the durable one is what belongs to none."""

    def __init__(self, browser: Firefox, look: Look, container: int) -> None:
        self.browser, self.look, self._container = browser, look, container
        self._tabs: dict[str, FirefoxTab] = {}
        self.downloads = browser.folder / "downloads" / str(container)
        self.downloads.mkdir(parents=True, exist_ok=True)
        browser.line.chrome("Services.console.reset()")
        # The whole process has it or not: profiles that differ in this cannot be open together.
        browser.line.chrome(
            'Services.prefs.setBoolPref("javascript.options.wasm", args[0])', look.webassembly
        )
        browser.console()

    def tab(self, url: str | None = None) -> FirefoxTab:
        line = self.browser.line
        line.chrome('Services.prefs.setStringPref("browser.download.dir", args[0])', str(self.downloads))
        before = set(line("WebDriver:GetWindowHandles"))
        line.chrome(_OPEN, self._container)
        (handle,) = self._appeared(before)
        tab = self._tabs[handle] = FirefoxTab(self, handle)
        tab.show()
        look = self.look
        line.chrome(_DRESS, look.size, look.dark, look.reduced_motion, look.language, look.javascript)
        if look.javascript:
            tab.wait_for("innerWidth === args[0] && innerHeight === args[1]", *look.size)
        if url is not None:
            tab.goto(url)
        return tab

    def tabs(self) -> list[Tab]:
        for handle in self.browser.line("WebDriver:GetWindowHandles"):
            if handle not in self._tabs and handle not in self.browser.first_handles:
                tab = FirefoxTab(self, handle)
                tab.show()
                container = self.browser.line.chrome("return gBrowser.selectedTab.userContextId")
                if container == self._container:
                    self._tabs[handle] = tab
        return list(self._tabs.values())

    def lost(self, tab: FirefoxTab) -> None:
        self._tabs.pop(tab.handle, None)

    def close(self) -> None:
        for tab in list(self._tabs.values()):
            with contextlib.suppress(MarionetteError):
                tab.close()
        if self._container:
            self.browser.line.chrome(_FORGET, self._container)
            shutil.rmtree(self.downloads, ignore_errors=True)

    def _appeared(self, before: set[str]) -> set[str]:
        deadline = time.monotonic() + PATIENCE
        while not (new := set(self.browser.line("WebDriver:GetWindowHandles")) - before):
            assert time.monotonic() < deadline, "the tab does not open"
            time.sleep(0.01)
        return new


class Firefox(Browser):
    """A Firefox of one's own.

    :ivar line: to the browser, for what this class does not know.
    :ivar current: the handle of the tab that commands are for.
    """

    kind = "firefox"

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        profile = self.folder / "profile"
        profile.mkdir(parents=True, exist_ok=True)
        (profile / "user.js").write_text(
            "".join(
                f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
                for name, value in _PREFERENCES.items()
            )
        )
        port = profile / "MarionetteActivePort"
        port.unlink(missing_ok=True)
        program = shutil.which("firefox-esr")
        assert program is not None
        with (self.folder / "firefox.log").open("ab") as output:
            self._read = output.tell()
            self._process = subprocess.Popen(
                [
                    program,
                    "--headless",
                    "--marionette",
                    "--remote-allow-system-access",
                    "--no-remote",
                    "--profile",
                    profile,
                ],
                env={**os.environ, "MOZ_CRASHREPORTER_DISABLE": "1", "HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while not port.exists() or not port.read_text():
            assert self._process.poll() is None, f"Firefox ended; {self.folder}/firefox.log tells why"
            assert time.monotonic() < deadline, "Firefox does not listen"
            time.sleep(0.02)
        self.line = Marionette(int(port.read_text()))
        self.current: str | None = None
        self.first_handles = set(self.line("WebDriver:GetWindowHandles"))

    def profile(self, **look: t.Any) -> FirefoxProfile:
        container = self.line.chrome(
            "const { ContextualIdentityService } = "
            'ChromeUtils.importESModule("resource://gre/modules/ContextualIdentityService.sys.mjs");'
            'return ContextualIdentityService.create("test", "fingerprint", "blue").userContextId'
        )
        return FirefoxProfile(self, Look(**look), container)

    def durable(self, **look: t.Any) -> FirefoxProfile:
        return FirefoxProfile(self, Look(**look), 0)

    def console(self) -> list[str]:
        """Return what pages and workers have written by ``console.error`` since the last call."""
        with (self.folder / "firefox.log").open("rb") as log:
            log.seek(self._read)
            text = log.read()
            self._read += len(text)
        return re.findall(r"^console\.error: (\".*)$", text.decode(errors="replace"), re.MULTILINE)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.line.close()

    def close(self) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(OSError, MarionetteError):
                self.line("Marionette:Quit", flags=["eForceQuit"])
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(15)
        self.kill()
