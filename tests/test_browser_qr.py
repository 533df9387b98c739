"""The QR codes of the wallet page, read by an independent decoder (zxing-cpp) and held against ISO/IEC 18004."""

from __future__ import annotations

import functools
import itertools
import json
import random
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from conftest import missing
from PIL import Image, ImageDraw

DRIVER = Path(__file__).parent / "browser" / "qr_codes.mjs"
QUIET = 4
SCALE = 3

Code = dict[str, t.Any]


def ask(requests: list[dict[str, object]]) -> list[t.Any]:
    node = shutil.which("node")
    if node is None:
        missing("needs Node: apt-get install nodejs")
    assert node is not None
    answers = subprocess.run(
        [node, DRIVER],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in answers.stdout.splitlines()]


@functools.cache
def decoder() -> t.Any:
    try:
        import zxingcpp
    except ImportError:
        missing("needs zxing-cpp: pip install zxing-cpp")
    return zxingcpp


def picture(code: Code) -> Image.Image:
    size = code["size"]
    image = Image.new("L", (size + 2 * QUIET, size + 2 * QUIET), 255)
    for row, line in enumerate(code["rows"]):
        for column, module in enumerate(line):
            if module == "1":
                image.putpixel((column + QUIET, row + QUIET), 0)
    return image.resize((image.width * SCALE, image.height * SCALE), Image.Resampling.NEAREST)


def read(image: Image.Image) -> t.Any:
    found = decoder().read_barcodes(image, formats=decoder().BarcodeFormat.QRCode)
    assert len(found) == 1
    return found[0]


def some(length: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(length)


def test_every_version_and_level_is_read_when_full() -> None:
    """Full to the last byte, so that every block, its error correction and every module matter."""
    kinds = [(version, level) for version in range(1, 41) for level in "LM"]
    room = ask([{"capacity": kind} for kind in kinds])
    full = [some(length, seed) for seed, length in enumerate(room)]
    codes = ask([{"data": data.hex(), "level": kind[1]} for data, kind in zip(full, kinds, strict=True)])
    for data, (version, level), code in zip(full, kinds, codes, strict=True):
        assert (code["version"], code["level"], code["size"]) == (version, level, 4 * version + 17)
        found = read(picture(code))
        assert found.bytes == data, (version, level)
        assert found.ec_level == level


def test_capacities_are_those_of_table_7() -> None:
    known = {
        (1, "L"): 17,
        (1, "M"): 14,
        (7, "L"): 154,
        (9, "M"): 180,
        (10, "L"): 271,
        (10, "M"): 213,
        (27, "L"): 1465,
        (32, "M"): 1538,
        (40, "L"): 2953,
        (40, "M"): 2331,
    }
    assert ask([{"capacity": kind} for kind in known]) == list(known.values())


@pytest.mark.parametrize("version", [1, 2, 7, 14, 32, 40])
def test_every_mask_is_read(version: int) -> None:
    data = some(9)
    codes = ask([{"data": data.hex(), "level": "L", "version": version, "mask": mask} for mask in range(8)])
    for mask, code in enumerate(codes):
        assert (code["version"], code["mask"]) == (version, mask)
        assert read(picture(code)).bytes == data
    assert len({"".join(code["rows"]) for code in codes}) == 8


def test_a_damaged_symbol_is_still_read() -> None:
    """Error correction codewords are right, not only in their places."""
    (code,) = ask([{"data": some(150).hex(), "level": "M"}])
    image = picture(code)
    size = code["size"] * SCALE
    ImageDraw.Draw(image).rectangle(
        (size // 2, size // 2, size // 2 + 9 * SCALE, size // 2 + 6 * SCALE), fill=0
    )
    assert read(image).bytes == some(150)


def test_a_text_of_tickets_is_read_as_it_is() -> None:
    link = "https://shop.example/ticketminer/wallet#receive=ticketminer-tickets-1." + "eyJvcmlnaW4i" * 55
    (code,) = ask([{"data": link.encode().hex()}])
    assert read(picture(code)).text == link


def test_the_smallest_symbol_is_taken_and_the_better_level_where_it_is_free() -> None:
    lengths = [0, 14, 15, 17, 18, 26, 27, 2303, 2304, 2953, 2954]
    codes = ask([{"data": some(length).hex()} for length in lengths])
    chosen = [code and (code["version"], code["level"]) for code in codes]
    assert chosen == [
        (1, "M"),
        (1, "M"),
        (1, "L"),
        (1, "L"),
        (2, "M"),
        (2, "M"),
        (2, "L"),
        (35, "L"),
        (36, "L"),
        (40, "L"),
        None,
    ]


def points(rows: list[str]) -> int:
    """Penalty of section 7.8.3, read once more and slowly. Outside of a symbol is light."""
    size = len(rows)
    columns = ["".join(column) for column in zip(*rows, strict=True)]
    sum_ = 0
    for line in rows + columns:
        sum_ += sum(len(run[0]) - 2 for run in re.finditer(r"0{5,}|1{5,}", line))
        wide = "0000" + line + "0000"
        sum_ += 40 * len(re.findall(r"(?=(?<=0000)1011101|1011101(?=0000))", wide))
    for upper, lower in itertools.pairwise(rows):
        for at in range(size - 1):
            sum_ += 3 * (len(set(upper[at : at + 2] + lower[at : at + 2])) == 1)
    dark = sum(line.count("1") for line in rows)
    return sum_ + 10 * int(abs(dark * 100 / size**2 - 50) / 5)


@pytest.mark.parametrize("length", [5, 60, 300, 1200])
def test_the_mask_is_the_one_with_the_fewest_points(length: int) -> None:
    for seed in range(6):
        data = some(length, seed) if seed else b"\xff" * length
        codes = ask([{"data": data.hex(), "level": "M", "mask": mask} for mask in range(8)])
        each = [points(code["rows"]) for code in codes]
        (chosen,) = ask([{"data": data.hex(), "level": "M"}])
        assert chosen["mask"] == each.index(min(each)), each


def test_the_path_draws_every_dark_module_and_no_other() -> None:
    request = {"data": some(40).hex()}
    (code,), (path,) = ask([request]), ask([{"outline": request}])
    drawn = [["0"] * code["size"] for _ in range(code["size"])]
    for x, y, wide, back in re.findall(r"M(\d+) (\d+)h(\d+)v1h(-\d+)z", path):
        assert int(wide) == -int(back)
        for column in range(int(x), int(x) + int(wide)):
            drawn[int(y)][column] = "1"
    assert ["".join(row) for row in drawn] == code["rows"]
    assert re.sub(r"M\d+ \d+h\d+v1h-\d+z", "", path) == ""
