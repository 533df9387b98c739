"""The command ``ticketminer``: usage, exit codes, output for people and programs, configuration."""

from __future__ import annotations

import http.server
import json
import pathlib
import re
import sys
import threading
import typing as t
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from terminal import assert_refused

from miner.cli import Status, main
from miner.cli.status import status_of
from miner.errors import (
    AlreadyDelivered,
    BudgetExceeded,
    ConsentMissing,
    KeyMismatch,
    MinerError,
    NotEnoughTickets,
    SiteProtocolError,
    SiteRefused,
    SiteUnreachable,
    WalletFull,
)
from miner.pow import ALGORITHMS
from miner.wallet import Wallet

NOBODY = "http://127.0.0.1:9"
"""Nothing listens there."""

Run = t.Callable[..., Result]


@pytest.fixture
def run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(main, words, input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


class Site(http.server.BaseHTTPRequestHandler):
    """A site with a service document and one free file, and no work to give."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/ticketminer/":
            self.answer("application/json", json.dumps(SERVICE).encode())
        elif self.path == "/free":
            self.answer("text/plain", b"free of charge", 'attachment; filename="../../.evil name.txt"')
        elif self.path == "/away":
            self.answer("text/plain", b"", status=302, location="https://elsewhere.example/")
        else:
            self.answer("text/plain", b"", status=404)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer("text/plain", b"", status=404)

    do_HEAD = do_GET

    def answer(
        self, kind: str, body: bytes, disposition: str = "", *, status: int = 200, location: str = ""
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if disposition:
            self.send_header("Content-Disposition", disposition)
        if location:
            self.send_header("Location", location)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


SERVICE = {
    "service": "ticketminer",
    "version": 1,
    "site_name": "shop.example",
    "denominations": [1, 2, 4],
    "algorithms": [
        {"algorithm": "sha256d", "expected_hashes": 1024, "work": "local"},
        {"algorithm": "yescrypt", "expected_hashes": 64, "work": "local"},
    ],
    "limits": {
        "inputs": 64,
        "outputs": 32,
        "body": 65536,
        "header_credential": 7000,
        "header_outputs": 3,
        "restore": 256,
        "job_value": 4,
    },
    "consent": {"version": "7", "text": "We ask for\x1b[2J computing time."},
    "funds": [{"fund": "bees", "title": "For the bees", "minimum": 1, "default": 5}],
    "origins": [],
    "links": {
        name: f"/ticketminer/{name}" for name in ("job", "submit", "redeem", "keys", "restore", "donate")
    }
    | {"spent": "/ticketminer/keys/{key_id}/spent", "openapi": "/ticketminer/openapi.json"},
}


@pytest.fixture
def site() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_help_lists_the_commands_and_every_exit_code(run: Run) -> None:
    words = run("--help").stdout
    assert all(
        f"\n  {name} " in words
        for name in ("mine", "get", "pay", "donate", "wallet", "jobs", "info", "config")
    )
    assert all(f"\n    {status.value} " in words for status in Status)


def test_the_documentation_lists_the_exit_codes_as_the_help_does(run: Run) -> None:
    page = (pathlib.Path(__file__).parent.parent / "docs/visitors.md").read_text()
    documented = re.findall(r"^\| (\d+) \| (.+) \|$", page, re.MULTILINE)
    assert documented == re.findall(r"^ +(\d+) +(.+)$", run("--help").stdout, re.MULTILINE)
    assert [int(code) for code, _ in documented] == list(Status)


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_explains_itself(run: Run, command: str) -> None:
    result = run(command, "-h")
    assert (result.exit_code, result.stdout.startswith(f"Usage: ticketminer {command}")) == (0, True)


def test_the_version_is_shown(run: Run) -> None:
    assert run("-V").stdout.startswith("ticketminer ")


@pytest.mark.parametrize(
    "words",
    [
        ["mine"],
        ["mine", "--bogus"],
        ["mine", NOBODY, "--fund", "bees"],
        ["mine", NOBODY, "--duty", "101"],
        ["mine", "not an address"],
        ["get", NOBODY, "--budget", "-1"],
        ["frobnicate"],
        ["wallet", "send", "0", "--site", NOBODY],
        ["config", "colour", "red"],
        ["config", "duty", "0"],
    ],
)
def test_a_wrong_command_line_exits_with_2(run: Run, words: list[str]) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (Status.USAGE, "")
    assert result.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SiteUnreachable("x"), 3),
        (SiteProtocolError("x"), 3),
        (NotEnoughTickets("x"), 4),
        (BudgetExceeded("x"), 4),
        (SiteRefused(403, "forbidden", "x"), 5),
        (AlreadyDelivered("x"), 5),
        (WalletFull("x"), 6),
        (KeyMismatch("x"), 7),
        (ConsentMissing("x"), 8),
        (MinerError("x"), 1),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(error: MinerError, status: int) -> None:
    assert status_of(error) == status


@pytest.mark.parametrize(
    "words",
    [
        ["mine", NOBODY],
        ["info", NOBODY],
        ["get", f"{NOBODY}/report"],
        ["donate", NOBODY, "3"],
        ["pay", NOBODY],
    ],
)
def test_a_site_that_does_not_answer_is_one_sentence_and_exit_code_3(run: Run, words: list[str]) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (Status.SITE, "")
    assert result.stderr.startswith("ticketminer: http://127.0.0.1:9 cannot be reached")
    assert result.stderr.count("\n") == 1


def test_errors_are_objects_with_json(run: Run) -> None:
    error = json.loads(run("info", NOBODY, "--json").stderr)
    assert (error["error"], error["exit"]) == ("SiteUnreachable", 3)


def test_a_wrong_command_line_is_an_object_with_json(run: Run) -> None:
    error = json.loads(run("mine", "--bogus", "--json").stderr)
    assert (error["error"], error["exit"]) == ("UsageError", 2)


def test_plain_http_to_another_machine_is_refused(run: Run) -> None:
    assert run("info", "http://192.0.2.1").exit_code == Status.SECURITY


def test_a_file_that_is_no_wallet_is_a_wallet_problem(run: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "w").write_text("this is not a wallet, and it is long enough to be looked at by sqlite" * 20)
    assert run("wallet", "--wallet", "w").exit_code == Status.WALLET


def test_without_consent_nothing_is_computed(run: Run, site: str) -> None:
    result = run("mine", site)
    assert result.exit_code == Status.NO_CONSENT
    assert "--yes" in result.stderr


def test_consent_is_remembered_for_its_version_only(
    run: Run, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("mine", site, "--yes").exit_code == Status.REFUSED  # agreed; this site has no jobs
    assert run("mine", site).exit_code == Status.REFUSED
    monkeypatch.setitem(SERVICE, "consent", {"version": "8", "text": "We ask for more."})
    assert run("mine", site).exit_code == Status.NO_CONSENT


@pytest.mark.parametrize("asked", [(), ("--algo", "ethash")])
@pytest.mark.skipif("ethash" not in ALGORITHMS, reason="the kernels were not compiled")
def test_a_site_that_offers_ethash_needs_no_tables_to_be_looked_at(
    run: Run, site: str, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...]
) -> None:
    monkeypatch.setitem(
        SERVICE, "algorithms", [{"algorithm": "ethash", "expected_hashes": 64, "work": "local"}]
    )
    assert "ethash: 64 hashes on average, under 1 s here" in run("info", site).stdout
    result = run("mine", site, "--yes", "--time-limit", "0.5", *asked)
    assert result.exit_code == Status.REFUSED  # it has no jobs


def test_one_unreachable_site_does_not_keep_the_others_from_being_mined(run: Run, site: str) -> None:
    result = run("mine", NOBODY, site)
    assert result.exit_code == Status.NO_CONSENT
    assert f"Leaving out {NOBODY}" in result.stderr


def test_info_shows_offers_prices_and_consent_without_what_could_rewrite_a_terminal(
    run: Run, site: str
) -> None:
    words = run("info", site).stdout
    assert "sha256d: 1,024 hashes on average, under 1 s here" in words
    assert "yescrypt: 64 hashes on average; this installation cannot compute it" in words
    assert "bees: For the bees (at least 1, usually 5)" in words
    assert "We ask for[2J computing time." in words


def test_an_algorithm_that_a_site_names_many_times_is_measured_once(
    run: Run, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []
    monkeypatch.setattr(sys.modules["miner.cli.info"], "_speed", lambda name: measured.append(name) or 1.0)
    offer = {"algorithm": "sha256d", "expected_hashes": 64, "work": "local"}
    monkeypatch.setitem(SERVICE, "algorithms", [offer] * 64)
    assert run("info", site).exit_code == Status.OK
    assert measured == ["sha256d"]


def test_info_is_an_object_with_json(run: Run, site: str) -> None:
    offer = json.loads(run("info", site, "--json").stdout)
    assert (offer["site"], offer["denominations"]) == (site, [1, 2, 4])
    assert offer["algorithms"][1]["seconds_here"] is None


def test_a_free_resource_is_kept_under_a_harmless_name(run: Run, site: str, tmp_path: pathlib.Path) -> None:
    result = run("get", f"{site}/free", "-o", "new/")
    assert result.exit_code == 0
    assert (tmp_path / "new" / "evil name.txt").read_bytes() == b"free of charge"
    assert result.stdout == f"{pathlib.Path('new', 'evil name.txt')}: 14 bytes. Nothing was paid.\n"


def test_a_served_name_replaces_nothing(run: Run, site: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "evil name.txt").write_text("mine")
    file = json.loads(run("get", f"{site}/free", "--json").stdout)["file"]
    assert file == "evil name-1.txt"
    assert (tmp_path / "evil name.txt").read_text() == "mine"


def test_a_resource_can_go_to_standard_output(run: Run, site: str) -> None:
    result = run("get", f"{site}/free", "-o", "-")
    assert result.stdout_bytes == b"free of charge"


@pytest.mark.parametrize(("path", "status"), [("/missing", Status.REFUSED), ("/away", Status.SECURITY)])
def test_a_download_that_fails_leaves_nothing_behind(
    run: Run, site: str, tmp_path: pathlib.Path, path: str, status: Status
) -> None:
    assert run("get", site + path, "-o", "file").exit_code == status
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == []


def test_a_folder_that_cannot_be_written_is_noticed_before_anything_is_paid(run: Run) -> None:
    result = run("get", f"{NOBODY}/report", "-o", "missing/report")
    assert (result.exit_code, "choose another place with -o" in result.stderr) == (Status.FAILURE, True)


def test_an_empty_wallet_says_how_to_get_tickets(run: Run) -> None:
    assert "ticketminer mine https://" in run("wallet").stdout


def test_the_balance_is_an_object_with_json(run: Run) -> None:
    balance = json.loads(run("wallet", "--json").stdout)
    assert (balance["total"], balance["sites"]) == (0, [])


def test_words_restore_the_same_wallet_and_are_read_from_standard_input(run: Run) -> None:
    words = run("wallet", "words").stdout
    assert len(words.split()) == 12
    assert run("wallet", "restore", "--wallet", "other", stdin=words).exit_code == 0
    assert run("wallet", "words", "--wallet", "other").stdout == words


def test_misspelt_words_are_a_wallet_problem_that_names_the_word(run: Run) -> None:
    result = run("wallet", "restore", stdin="abandn " * 12)
    assert (result.exit_code, "'abandn'" in result.stderr) == (Status.WALLET, True)


def test_a_text_that_carries_no_tickets_is_refused(run: Run) -> None:
    assert run("wallet", "receive", stdin="hello").exit_code == Status.WALLET


def test_forgetting_an_unknown_site_says_so(run: Run) -> None:
    result = run("wallet", "forget", "https://shop.example")
    assert (result.exit_code, "is not in this wallet" in result.stderr) == (Status.WALLET, True)


def test_runs_of_mining_are_listed(run: Run, tmp_path: pathlib.Path) -> None:
    with Wallet.open(tmp_path / "w") as wallet:
        number = wallet.start_run("https://shop.example", "scrypt")
        wallet.update_run(number, accepted=3, refused=1, tickets=5, hashes=3000, seconds=2)
    words = run("jobs", "--wallet", "w").stdout
    assert "scrypt: 5 tickets received, 3 accepted, 1 refused in 2 s, 1.50 kH/s" in words
    assert json.loads(run("jobs", "--wallet", "w", "--json").stdout)["tickets"] == 5


def test_a_benchmark_is_measured_and_printed_as_an_object(run: Run) -> None:
    kernel = ALGORITHMS["sha256d"].kernel()
    result = run("benchmark", "sha256d", "--threads", "2", "--seconds", "0.05", "--json")
    measured = json.loads(result.stdout)
    assert (measured["algorithm"], measured["implementation"]) == ("sha256d", kernel.name)
    assert measured["threads"] == (2 if kernel.releases_gil else 1)
    assert measured["hashes"] > 0


def test_a_benchmark_without_a_name_measures_every_algorithm(run: Run) -> None:
    lines = run("benchmark", "--seconds", "0.05").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(ALGORITHMS)
    assert not any(line.split()[1].startswith("0") for line in lines)


def test_a_benchmark_measures_the_path_that_the_environment_names(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKETMINER_KERNEL", "reference")
    words = run("benchmark", "scrypt", "--seconds", "0.05").stdout
    assert "(reference; " in words


def test_a_benchmark_of_a_path_that_is_not_there_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKETMINER_KERNEL", "avx1024")
    result = run("benchmark", "scrypt", "-q", "--seconds", "0.05")
    assert_refused(result, Status.FAILURE, "unset TICKETMINER_KERNEL")


def test_settings_are_kept_shown_and_forgotten(run: Run) -> None:
    run("config", "threads", "3")
    assert run("config", "threads").stdout == "3\n"
    run("config", "--unset", "threads")
    assert run("config", "threads").stdout == "(not set)\n"


def test_settings_are_the_defaults_of_commands(run: Run) -> None:
    run("config", "url", NOBODY)
    assert run("mine").exit_code == Status.SITE
    assert run("get").exit_code == Status.USAGE


def test_a_named_configuration_file_comes_before_the_default_one(run: Run, tmp_path: pathlib.Path) -> None:
    run("config", "wallet", str(tmp_path / "one"))
    (tmp_path / "c.json").write_text(json.dumps({"wallet": str(tmp_path / "two")}))
    run("wallet", "-c", "c.json")
    assert not (tmp_path / "one").exists()
    assert (tmp_path / "two").exists()


def test_the_command_line_comes_before_every_file(run: Run, tmp_path: pathlib.Path) -> None:
    run("config", "wallet", str(tmp_path / "one"))
    run("wallet", "--wallet", "three")
    assert [name for name in ("one", "three") if (tmp_path / name).exists()] == ["three"]


@pytest.mark.parametrize("text", ["not json", "[]", '{"colour": 1}', '{"duty": true}', '{"threads": "many"}'])
def test_a_wrong_configuration_file_is_named_in_one_sentence(
    run: Run, tmp_path: pathlib.Path, text: str
) -> None:
    (tmp_path / "c.json").write_text(text)
    result = run("wallet", "-c", "c.json")
    assert (result.exit_code, "c.json" in result.stderr) == (Status.USAGE, True)


def test_a_missing_configuration_file_is_an_error_only_when_it_was_named(run: Run) -> None:
    assert run("wallet", "-c", "absent.json").exit_code == Status.USAGE
    assert run("wallet").exit_code == 0
