"""What the page's architecture takes for granted in a browser, one thing at a time, without our own modules."""

from __future__ import annotations

import pathlib
import threading
import typing as t
from collections.abc import Callable, Iterator

import pytest
from browsers import Browser, Profile, Tab
from chromium_tab import ChromiumTab
from demo_sites import DemoSites
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

WASM = (pathlib.Path(__file__).parent.parent / "miner" / "pow" / "wasm" / "sha256d.simd.wasm").read_bytes()
STRICT = {"Content-Security-Policy": "default-src 'self'"}
WORKER = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'"
    ),
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}

PAGE = "<!doctype html><html lang=en><title>page</title><script type=module src=/page.js></script><p>page</p>"
PAGE_JS = """
const core = new Worker("/core.js", { type: "module" });
const waiting = new Map();
globalThis.compile = async () => WebAssembly.compile(await (await fetch("/kernel.wasm")).arrayBuffer()).then(
  () => "compiled", (error) => error.name);
globalThis.fail = () => {
  console.error("said in the page");
  setTimeout(() => { throw new Error("a fault in the page"); });
  document.body.append(Object.assign(document.createElement("style"), { textContent: "p { color: red }" }));
};
core.onmessage = ({ data }) => waiting.get(data.id)(data);
globalThis.ask = (question, ...args) => new Promise((resolve, reject) => {
  const id = waiting.size + 1;
  waiting.set(id, ({ answer, error }) => (error ? reject(new Error(error)) : resolve(answer)));
  core.postMessage({ id, question, args });
});
"""
# The core: a module worker that imports, statically and dynamically, and starts a worker of its own.
CORE_JS = """
import { questions } from "./questions.js";
onmessage = async ({ data: { id, question, args } }) => {
  try { postMessage({ id, answer: await questions[question](...args) }); }
  catch (error) { postMessage({ id, error: `${error.name}: ${error.message}` }); }
};
"""
QUESTIONS_JS = """
const hasher = (source) => new Promise((resolve, reject) => {
  const worker = new Worker(new URL("./hasher.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => reject(new Error(event.message || "the worker did not start"));
  worker.postMessage(source);
});
const request = (r) => new Promise((done, fail) => { r.onsuccess = () => done(r.result); r.onerror = () => fail(r.error); });
const database = () => {
  const opening = indexedDB.open("tickets", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("tickets");
  return request(opening);
};
export const questions = {
  hash: (source) => hasher(source),
  lazily: async () => (await import("./lazy.js")).found,
  scope: () => ({
    subtle: Boolean(globalThis.crypto?.subtle), locks: Boolean(navigator.locks), storage: Boolean(navigator.storage),
    indexedDB: Boolean(globalThis.indexedDB), channel: typeof BroadcastChannel, secure: isSecureContext,
    random: crypto.getRandomValues(new Uint8Array(4)).length, wasm: typeof WebAssembly,
  }),
  write: async (value) => {
    const db = await database();
    const writing = db.transaction("tickets", "readwrite", { durability: "strict" });
    writing.objectStore("tickets").put(value, "key");
    await new Promise((done, fail) => { writing.oncomplete = done; writing.onabort = () => fail(writing.error); });
    return writing.durability;
  },
  read: async () => request((await database()).transaction("tickets").objectStore("tickets").get("key")),
  login: async () => (await fetch("/login", { method: "POST", credentials: "same-origin", redirect: "error" })).status,
  lock: (name) => new Promise((granted) => navigator.locks.request(name, () => { granted(true); return new Promise(() => {}); })),
  held: async (name) => (await navigator.locks.query()).held.some((lock) => lock.name === name),
  listen: () => { globalThis.heard = []; globalThis.line = new BroadcastChannel("line"); line.onmessage = ({ data }) => heard.push(data); },
  say: (words) => { new BroadcastChannel("line").postMessage(words); },
  heard: () => globalThis.heard,
  fail: () => { setTimeout(() => { throw new Error("a fault in the worker"); }); },
};
"""
HASHER_JS = """
const compiled = async (source) => source === "streaming"
  ? WebAssembly.compileStreaming(fetch("/kernel.wasm"))
  : WebAssembly.compile(await (await fetch("/kernel.wasm")).arrayBuffer());
onmessage = async ({ data }) => {
  try {
    if (typeof WebAssembly === "undefined") throw new ReferenceError("no WebAssembly");
    const instance = await WebAssembly.instantiate(await compiled(data));
    postMessage({ memory: instance.exports.memory instanceof WebAssembly.Memory, isolated: crossOriginIsolated });
  } catch (error) { postMessage({ failed: error.name }); }
};
"""
SCRIPTS = {
    "/page.js": PAGE_JS,
    "/core.js": CORE_JS,
    "/questions.js": QUESTIONS_JS,
    "/hasher.js": HASHER_JS,
    "/lazy.js": "export const found = 'lazily';",
}

Serve = Callable[..., "Pages"]


class Pages:
    """Serves the scripts above; `worker` are the headers of worker scripts, `page` those of all else."""

    def __init__(self, page: dict[str, str], worker: dict[str, str]) -> None:
        self._page, self._worker = page, worker
        self.cookies: list[str | None] = []

        class Handler(WSGIRequestHandler):
            def log(self, *_: object) -> None:
                pass

        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.port}/"
        self.lan_url = f"http://shop.test:{self._server.port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, t.Any], start_response: t.Any) -> t.Any:
        return self._response(Request(environ))(environ, start_response)

    def _response(self, request: Request) -> Response:
        if request.path == "/login":
            response = Response("{}", content_type="application/json")
            response.set_cookie("pass", "opens", path="/paid", httponly=True, samesite="Lax")
            return response
        if request.path == "/paid":
            self.cookies.append(request.cookies.get("pass"))
        if request.path == "/kernel.wasm":
            return Response(WASM, content_type="application/wasm", headers=self._page)
        if request.path in SCRIPTS:
            worker = request.path in ("/core.js", "/hasher.js")
            headers = self._worker if worker else self._page
            return Response(
                SCRIPTS[request.path], content_type="text/javascript; charset=utf-8", headers=headers
            )
        return Response(PAGE, content_type="text/html; charset=utf-8", headers=self._page)


@pytest.fixture
def serve_pages() -> Iterator[Serve]:
    served: list[Pages] = []

    def start(page: dict[str, str] = STRICT, worker: dict[str, str] = WORKER) -> Pages:
        served.append(Pages(page, worker))
        return served[-1]

    yield start
    for pages in served:
        pages.close()


def opened(profile: Profile, url: str) -> Tab:
    tab = profile.tab(url)
    tab.wait_for("typeof ask === 'function'")
    return tab


@pytest.mark.parametrize("source", ["streaming", "buffer"])
def test_a_worker_of_a_worker_compiles_webassembly_on_a_strict_page(
    profile: Profile, serve_pages: Serve, source: str
) -> None:
    tab = opened(profile, serve_pages().url)
    assert tab.evaluate("await ask('hash', args[0])", source) == {"memory": True, "isolated": False}
    assert tab.errors() == []


def test_the_page_itself_may_not_compile_webassembly_there(profile: Profile, serve_pages: Serve) -> None:
    tab = opened(profile, serve_pages().url)
    assert tab.evaluate("await compile()") == "CompileError"


def test_a_worker_script_without_a_policy_has_not_that_of_the_page(
    profile: Profile, serve_pages: Serve
) -> None:
    tab = opened(profile, serve_pages(worker={}).url)
    assert "memory" in tab.evaluate("await ask('hash', 'streaming')")


def test_a_policy_stamped_on_worker_scripts_forbids_webassembly(profile: Profile, serve_pages: Serve) -> None:
    tab = opened(profile, serve_pages(worker=STRICT).url)
    assert tab.evaluate("await ask('hash', 'buffer')") == {"failed": "CompileError"}
    assert tab.evaluate("await ask('lazily')") == "lazily"


def test_an_isolated_page_can_start_the_workers_too(profile: Profile, serve_pages: Serve) -> None:
    isolated = {
        **STRICT,
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    tab = opened(profile, serve_pages(page=isolated).url)
    assert tab.evaluate("await ask('hash', 'streaming')") == {"memory": True, "isolated": True}


def test_a_module_worker_imports_lazily(profile: Profile, serve_pages: Serve) -> None:
    tab = opened(profile, serve_pages().url)
    assert tab.evaluate("await ask('lazily')") == "lazily"
    assert tab.errors() == []


def test_what_a_worker_has_on_this_machine(profile: Profile, serve_pages: Serve) -> None:
    tab = opened(profile, serve_pages().url)
    assert tab.evaluate("await ask('scope')") == {
        "subtle": True,
        "locks": True,
        "storage": True,
        "indexedDB": True,
        "channel": "function",
        "secure": True,
        "random": 4,
        "wasm": "object",
    }


def test_what_a_worker_has_on_plain_http_in_a_network(profile: Profile, serve_pages: Serve) -> None:
    tab = opened(profile, serve_pages().lan_url)
    scope = tab.evaluate("await ask('scope')")
    absent = {name for name, there in scope.items() if there is False}
    assert absent == {"subtle", "locks", "storage", "secure"}
    assert "memory" in tab.evaluate("await ask('hash', 'streaming')")
    assert tab.evaluate("await ask('write', 5)") == "strict"


def test_webassembly_can_be_absent_in_every_world(
    open_profile: Callable[..., Profile], serve_pages: Serve
) -> None:
    tab = opened(open_profile(webassembly=False), serve_pages().url)
    assert tab.evaluate("typeof WebAssembly") == "undefined"
    assert tab.evaluate("await ask('scope')")["wasm"] == "undefined"
    assert tab.evaluate("await ask('hash', 'buffer')") == {"failed": "ReferenceError"}


def test_what_a_strict_transaction_wrote_survives_a_killed_browser(
    own_browser: Callable[[], Browser], serve_pages: Serve
) -> None:
    browser, pages = own_browser(), serve_pages()
    tab = opened(browser.durable(), pages.url)
    for value in (1, 2):
        assert tab.evaluate("await ask('write', args[0])", value) == "strict"
        browser.kill()
        browser.start()
        tab = opened(browser.durable(), pages.url)
        assert tab.evaluate("await ask('read')") == value


def test_a_navigation_sends_the_cookie_that_a_worker_was_given(profile: Profile, serve_pages: Serve) -> None:
    pages = serve_pages()
    tab = opened(profile, pages.url)
    assert tab.evaluate("await ask('login')") == 200
    tab.goto(pages.url + "paid")
    assert pages.cookies == ["opens"]


@pytest.mark.parametrize("way", ["close", "crash"])
def test_a_lock_held_by_a_worker_goes_with_its_tab(profile: Profile, serve_pages: Serve, way: str) -> None:
    pages = serve_pages()
    first, second = opened(profile, pages.url), opened(profile, pages.url)
    assert first.evaluate("await ask('lock', 'miner')") is True
    assert second.evaluate("await ask('held', 'miner')") is True
    second.evaluate("void ask('lock', 'miner').then(() => { globalThis.mine = true })")
    assert second.evaluate("globalThis.mine") is None
    getattr(first, way)()
    assert second.wait_for("globalThis.mine")


def test_profiles_share_neither_locks_nor_storage(
    open_profile: Callable[..., Profile], serve_pages: Serve
) -> None:
    pages = serve_pages()
    one, other = (opened(open_profile(), pages.url) for _ in range(2))
    one.evaluate("await ask('lock', 'miner')")
    one.evaluate("await ask('write', 1)")
    assert other.evaluate("await ask('held', 'miner')") is False
    assert other.evaluate("await ask('read')") is None


def test_workers_of_two_tabs_hear_each_other(profile: Profile, serve_pages: Serve) -> None:
    pages = serve_pages()
    first, second = opened(profile, pages.url), opened(profile, pages.url)
    first.evaluate("await ask('listen')")
    second.evaluate("await ask('say', 'mining')")
    assert first.wait_for("(await ask('heard')).length")
    assert first.evaluate("await ask('heard')") == ["mining"]


def test_a_tab_behind_another_is_hidden(profile: Profile, serve_pages: Serve) -> None:
    pages = serve_pages()
    first, second = opened(profile, pages.url), opened(profile, pages.url)
    state = "document.visibilityState"
    assert (first.evaluate(state), second.evaluate(state)) == ("hidden", "visible")
    first.show()
    second.wait_for("document.hidden")
    assert first.evaluate(state) == "visible"


def test_without_scripts_the_402_page_is_a_form(
    open_profile: Callable[..., Profile], demos: DemoSites
) -> None:
    site = demos.shop()
    profile = open_profile(javascript=False)
    tab = profile.tab(f"{site.url}/pictures/estuary/original")
    tab.see("costs 2 tickets", "h1")
    tab.fill("textarea[name=tickets]", site.tickets(2))
    tab.click("button[type=submit]")
    assert profile.downloaded().stat().st_size > 10_000
    assert site.paid() == 2


# That the checks which other tests rely on can fail


def test_faults_of_pages_and_workers_are_heard(profile: Profile, serve_pages: Serve) -> None:
    tab = opened(profile, serve_pages().url)
    assert tab.errors() == []
    tab.evaluate("fail()")
    tab.evaluate("await ask('fail')")
    heard: list[str] = []

    def complete() -> bool:
        heard.extend(tab.errors())
        wanted = ("a fault in the page", "a fault in the worker", "said in the page", "default-src")
        return all(any(words in error for error in heard) for words in wanted)

    tab.until(complete, "all four faults")
    # The page may hear of the worker's fault later than we do, and says so as well.
    assert [error for error in tab.errors() if "a fault in the worker" not in error] == []


def test_axe_looks_into_shadow_roots(profile: Profile, serve_pages: Serve) -> None:
    tab = opened(profile, serve_pages().url)
    assert tab.axe() == []
    tab.evaluate(
        "document.querySelector('p').attachShadow({ mode: 'open' }).append(document.createElement('button'))"
    )
    [found] = tab.axe()
    assert found.startswith("button-name (critical): p >>> button")


def test_focus_goes_through_shadow_roots_in_order(profile: Profile, serve_pages: Serve) -> None:
    tab = opened(profile, serve_pages().url)
    made = """args.forEach(([tag, text], i) => {
      const root = i % 2 ? document.body : document.body.appendChild(document.createElement("div")).attachShadow({ mode: "open" });
      root.appendChild(Object.assign(document.createElement(tag), { textContent: text, href: "/" }));
    })"""
    tab.evaluate(made, ["button", "first"], ["a", "second"], ["button", "third"])
    assert tab.focus_order() == ['button "first"', 'link "second"', 'button "third"']


def test_a_click_that_the_page_moves_away_from_is_made_again(profile: Profile, serve_pages: Serve) -> None:
    tab = opened(profile, serve_pages().url)
    tab.evaluate("""(() => {
      const button = document.body.appendChild(Object.assign(document.createElement("button"), { textContent: "Stop" }));
      addEventListener("pointerover", ({ target }) => target === button && (button.style.marginTop ||= "300px"), true);
      button.addEventListener("click", () => { document.title = "stopped"; });
    })()""")
    tab.click("button", "Stop")
    assert tab.title == "stopped"


def test_a_busy_main_thread_is_in_the_trace(chromium: Browser, serve_pages: Serve) -> None:
    with chromium.profile() as profile:
        tab = opened(profile, serve_pages().url)
        assert isinstance(tab, ChromiumTab)
        with tab.trace() as trace:
            tab.evaluate(
                "(() => { const end = performance.now() + 120; while (performance.now() < end); })()"
            )
        with tab.trace() as calm:
            tab.evaluate("new Promise((done) => setTimeout(done, 200))")
    assert trace.longest.took >= 120
    assert calm.longest.worked < trace.longest.worked


def test_requests_of_nested_workers_are_seen_with_their_sizes(chromium: Browser, serve_pages: Serve) -> None:
    with chromium.profile() as profile:
        tab = opened(profile, serve_pages().url)
        tab.evaluate("await ask('hash', 'buffer')")
        wanted = {"kernel.wasm", "page.js", "core.js", "questions.js", "hasher.js"}
        sizes = tab.until(
            lambda: found if wanted <= (found := sizes_of(tab)).keys() else None, "all requests"
        )
    assert sizes["kernel.wasm"] == len(WASM)
    assert sizes["page.js"] == len(PAGE_JS)


def sizes_of(tab: Tab) -> dict[str, int]:
    """Return the bytes of each file that a tab has requested."""
    return {request.url.rpartition("/")[2]: request.size for request in tab.requests()}
