"""What an installation contains, and what the Makefile says on a machine that lacks something."""

from __future__ import annotations

import configparser
import importlib.metadata
import importlib.resources
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="needs make: apt-get install make")


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg")
    return parser


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("console_scripts", "ticketminer", "miner.cli:main"),
        ("flask.commands", "ticketminer", "flask_ticketminer.cli:group"),
        ("pytest11", "ticketminer", "flask_ticketminer.testing.plugin"),
    ],
)
def test_an_entry_point_leads_to_something(group: str, name: str, value: str) -> None:
    (found,) = importlib.metadata.entry_points(group=group, name=name)
    assert found.value == value
    assert found.load() is not None


@pytest.mark.parametrize(
    "path",
    [
        "py.typed",
        "static/ticketminer.css",
        "static/ticketminer.svg",
        "templates/ticketminer/402.html",
        "templates/ticketminer/donate_banner.html",
    ],
)
def test_package_data_matches_a_pattern_of_setup_cfg(path: str) -> None:
    assert importlib.resources.files("flask_ticketminer").joinpath(path).is_file()
    patterns = setup_cfg()["options.package_data"]["flask_ticketminer"].split()
    assert any(
        Path(path).match(pattern) and len(Path(path).parts) == len(Path(pattern).parts)
        for pattern in patterns
    )


def test_every_file_that_browsers_load_matches_a_pattern_of_setup_cfg() -> None:
    patterns = setup_cfg()["options.package_data"]["miner"].split()
    packed = {file for pattern in patterns for file in (ROOT / "miner").glob(pattern)}
    loaded = {
        file
        for folder, kinds in (("browser", (".js", ".css", ".json")), ("pow/wasm", (".wasm",)))
        for file in (ROOT / "miner" / folder).rglob("*")
        if file.suffix in kinds
    }
    assert len(loaded) > 20
    assert loaded - packed == set()


def test_requirements_set_lower_bounds_only() -> None:
    parser = setup_cfg()
    extras = "\n".join(parser["options.extras_require"].values())
    lines = (parser["options"]["install_requires"] + "\n" + extras).split("\n")
    for line in filter(None, (line.strip() for line in lines)):
        assert re.fullmatch(r"[A-Za-z0-9-]+(\[[a-z,]+\])?( >= [0-9.]+)?", line), line


def test_the_change_log_opens_with_this_version() -> None:
    newest = re.search(r"^## Version (\S+)$", (ROOT / "CHANGES.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == setup_cfg()["metadata"]["version"]


def test_the_readme_app_is_under_twenty_lines_and_answers_402() -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    assert len(block[1].splitlines()) < 20
    names: dict[str, object] = {"__name__": "report"}
    exec(block[1], names)
    site = names["app"]
    assert site.test_client().get("/ticketminer/").status_code == 200  # type: ignore[attr-defined]
    assert {"report"} <= set(site.view_functions)  # type: ignore[attr-defined]


@pytest.fixture
def bare_checkout(tmp_path: Path) -> Path:
    """A checkout in which nothing is installed yet."""
    for name in ("Makefile", "setup.cfg", "setup.py", "pyproject.toml", "scripts/preflight.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # `make test` may be what runs this, and an inner make says more.
    environment = {
        name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    }
    return subprocess.run(
        ["make", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def python_like(folder: Path, change: str) -> Path:
    """Return a program that is this Python after `change` was run in it."""
    program = folder / "python-like"
    change += "; import runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; {change}" "$@"\n')
    program.chmod(0o755)
    return program


def assert_one_line(result: subprocess.CompletedProcess[str], *, says: str) -> None:
    assert result.returncode != 0
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


@needs_make
def test_a_taken_port_gets_one_line_that_names_another(bare_checkout: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert_one_line(make(bare_checkout, "demo", f"PORT={port}"), says="choose another: make demo PORT=")


@needs_make
@pytest.mark.parametrize("port", ["abc", "0", "70000", "-1"])
def test_a_port_that_is_none_gets_one_line(bare_checkout: Path, port: str) -> None:
    assert_one_line(make(bare_checkout, "demo", f"PORT={port}"), says="PORT must be a number from 1 to 65535")


@needs_make
@pytest.mark.parametrize("target", ["demo", "test", "docs"])
def test_a_missing_venv_module_gets_one_line_that_names_the_package(bare_checkout: Path, target: str) -> None:
    program = python_like(bare_checkout, "sys.modules['ensurepip'] = None")
    result = make(bare_checkout, target, f"PYTHON={program}", "PORT=5999")
    assert_one_line(result, says="apt-get install python3-venv")


@needs_make
def test_an_old_python_gets_one_line_that_says_so(bare_checkout: Path) -> None:
    program = python_like(bare_checkout, "sys.version_info = (3, 9, 2)")
    assert_one_line(make(bare_checkout, "test", f"PYTHON={program}"), says="Python 3.11 or later is needed")


@needs_make
def test_a_missing_python_gets_one_line(bare_checkout: Path) -> None:
    assert_one_line(
        make(bare_checkout, "test", "PYTHON=python-of-nowhere"), says="python-of-nowhere is missing"
    )
