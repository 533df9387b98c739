"""What may know what: dependencies point one way, and pages load nothing from elsewhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SITE_SIDE = sorted(  # a host's tests play the visitor too, so the testing package has a wallet
    file for file in (ROOT / "flask_ticketminer").rglob("*.py") if "testing" not in file.parts
)
STATIC_AND_TEMPLATES = sorted(
    file
    for folder in ("flask_ticketminer", "demo_shop", "demo_donation")
    for file in (ROOT / folder).rglob("*")
    if file.suffix in {".html", ".css", ".svg"}
)


def imported_by(file: Path) -> t.Iterator[str]:
    """Yield the full names of modules that `file` imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


@pytest.mark.parametrize(
    "file", sorted((ROOT / "miner").rglob("*.py")), ids=lambda file: str(file.relative_to(ROOT))
)
def test_the_visitors_side_knows_neither_flask_nor_the_site(file: Path) -> None:
    packages = {name.partition(".")[0] for name in imported_by(file)}
    assert not packages & {"flask", "werkzeug", "flask_ticketminer", "flask_sqlalchemy"}


@pytest.mark.parametrize(
    "file", sorted((ROOT / "miner" / "pow").rglob("*.py")), ids=lambda file: str(file.relative_to(ROOT))
)
def test_proof_of_work_needs_the_standard_library_only(file: Path) -> None:
    rooms = {".".join(name.split(".")[:2]) for name in imported_by(file)}
    foreign = {room for room in rooms if room.split(".")[0] not in sys.stdlib_module_names}
    assert foreign <= {"miner.pow", "_typeshed"}


@pytest.mark.parametrize("file", SITE_SIDE, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_site_takes_only_hashes_and_wire_structures_from_the_visitors_side(file: Path) -> None:
    rooms = {".".join(name.split(".")[:2]) for name in imported_by(file) if name.split(".")[0] == "miner"}
    assert rooms <= {"miner.pow", "miner.tokens"}


@pytest.mark.parametrize("file", STATIC_AND_TEMPLATES, ids=lambda file: str(file.relative_to(ROOT)))
def test_pages_carry_no_inline_script_and_no_inline_style(file: Path) -> None:
    text = re.sub(r"\{[{%#].*?[#%}]\}", "", file.read_text(), flags=re.DOTALL)  # what a browser gets
    text = text.replace('<script type="module" src=""></script>', "").replace(
        '<script type="module" src="" nonce=""></script>', ""
    )
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:", text)


@pytest.mark.parametrize("file", STATIC_AND_TEMPLATES, ids=lambda file: str(file.relative_to(ROOT)))
def test_scripts_come_from_our_assets_or_the_sites_own_files(file: Path) -> None:
    sources = re.findall(r'<script type="module" src="([^"]*)"', file.read_text())
    assert file.read_text().count("<script") == len(sources)
    for source in sources:
        assert re.fullmatch(r"\{\{ (script|site\.asset_url\(.*\)|url_for\('static', .*\)) \}\}", source), (
            source
        )


@pytest.mark.parametrize("file", STATIC_AND_TEMPLATES, ids=lambda file: str(file.relative_to(ROOT)))
def test_pages_name_no_other_host(file: Path) -> None:
    text = file.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"(https?:)?//[a-z0-9]|@import|url\(\s*[\"']?(?!data)[^)\"']*//", text)


@pytest.mark.parametrize("name", ["miner.py", "miner/__init__.py"])
@pytest.mark.parametrize(
    "words",
    [
        ("-c", "from flask_ticketminer import TicketMiner"),
        ("-c", "from flask_ticketminer.testing import TicketClient"),
        ("-m", "flask", "--help"),
    ],
    ids=["extension", "testing", "command-line"],
)
def test_a_hosts_own_miner_is_named_when_it_stands_in_the_way(
    tmp_path: Path, name: str, words: tuple[str, ...]
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.touch()
    assert last_error(tmp_path, *words) == f"ImportError: {taken(file)}"


def test_an_application_called_miner_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "miner.py"
    file.write_text("from flask_ticketminer import TicketMiner")
    assert last_error(tmp_path, "miner.py") == f"ImportError: {taken(file)}"


def taken(file: Path) -> str:
    return f"{file} is taken for the package 'miner' of Flask-TicketMiner: give it another name."


def last_error(folder: Path, *words: str) -> str:
    result = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    return result.stderr.splitlines()[-1]
