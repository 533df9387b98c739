"""Scripts lose what only readers need, and stay the same programs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from parts import missing

from flask_ticketminer.lean import lean_json, lean_script, lean_sheet

ROOT = Path(__file__).parent.parent
BROWSER = ROOT / "miner" / "browser"
SCRIPTS = sorted(BROWSER.rglob("*.js"))
COMPARE = Path(__file__).parent / "browser" / "same_program.mjs"


@pytest.mark.parametrize(
    ("source", "lean"),
    [
        ("// why\nlet a = 1; // because\n\n\nlet b;\n", "let a=1;\nlet b;\n"),
        ("  return /* the */ 5 /* fifth */;\n", "return 5;\n"),
        (
            "const s = \"// no comment\", t = '/* nor this */';",
            "const s=\"// no comment\",t='/* nor this */';\n",
        ),
        ("const r = /[/*]\\/ /g, n = a / b / c;", "const r=/[/*]\\/ /g,n=a / b / c;\n"),
        ("`a  // ${ f({ b: `  ${c}` }) /* d */ }  e`", "`a  // ${f({b:`  ${c}`})}  e`\n"),
        ("x = a + +b - -c; y = { z } ;", "x=a + +b - -c;y={z};\n"),
        ("a = b\n  // why\n  ++c", "a=b\n++c\n"),
    ],
)
def test_comments_and_needless_space_go_and_nothing_else(source: str, lean: str) -> None:
    assert lean_script(source) == lean


def test_lean_scripts_are_the_same_programs(tmp_path: Path) -> None:
    pairs = []
    for script in SCRIPTS:
        name = str(script.relative_to(BROWSER)).replace("/", "-")
        ours, lean = tmp_path / name, tmp_path / f"lean-{name}"
        source = script.read_text()
        ours.write_text(source)
        lean.write_text(lean_script(source))
        pairs += [ours, lean]
    assert set(compared(*pairs)) == {f"same {pair.name}" for pair in pairs[::2]}


def test_another_program_is_told_apart(tmp_path: Path) -> None:
    ours, other = tmp_path / "a.js", tmp_path / "b.js"
    ours.write_text("// one\nf(1, 2);")
    other.write_text("f(1, 3);")
    assert compared(ours, other) == ["different a.js"]


def test_sheets_and_sentences_shrink() -> None:
    sheet = """/* why */\n.a {\n  content: "/*  */" '"  ';\n}\n"""
    assert lean_sheet(sheet) == """.a {\ncontent: "/*  */" '"  ';\n}\n"""
    assert lean_json(json.dumps({"ä": [1, 2]}, indent=2)) == '{"ä":[1,2]}'


def compared(*pairs: Path) -> list[str]:
    """Return ``same NAME`` or ``different NAME`` for each pair of files."""
    node = shutil.which("node")
    if node is None or not (COMPARE.parent / "node_modules" / "typescript").exists():
        missing("needs Node and the packages of tests/browser: make lint installs them")
    result = subprocess.run([str(node), COMPARE, *pairs], capture_output=True, text=True, check=True)
    return result.stdout.splitlines()
