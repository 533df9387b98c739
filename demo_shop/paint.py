"""Draw the four prints of the shop and their watermarked thumbnails: ``python demo_shop/paint.py``.

Everything is computed from fixed seeds, so the same pictures come out each time. They are committed, which is why only
this script needs Pillow. Originals are 1600x1000 PNG, thumbnails 800x500 JPEG.
"""

from __future__ import annotations

import math
import typing as t
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1600, 1000
SCALE = 2  # drawn twice as large, then reduced: that smooths the edges

Colour: t.TypeAlias = tuple[int, int, int]
Point: t.TypeAlias = tuple[float, float]


def ink(code: str) -> Colour:
    """Return the colour of a ``rrggbb`` code."""
    return int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Return `one` moved towards `other` by `share`, 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


class Sheet:
    """A sheet of 1600x1000 points to draw on."""

    def __init__(self, ground: Colour) -> None:
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), ground)
        self._draw = ImageDraw.Draw(self.image)

    def shape(self, points: t.Iterable[Point], colour: Colour) -> None:
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        box = [(x - radius) * SCALE, (y - radius) * SCALE, (x + radius) * SCALE, (y + radius) * SCALE]
        self._draw.ellipse(box, fill=colour)

    def below(self, line: t.Sequence[Point], colour: Colour) -> None:
        """Fill everything under `line`, which runs from the left edge to the right."""
        self.shape([*line, (WIDTH, HEIGHT), (0, HEIGHT)], colour)

    def bands(self, top: float, bottom: float, colours: t.Sequence[Colour], steps: int) -> None:
        """Fill the height from `top` to `bottom` with flat bands that pass through `colours`."""
        for step in range(steps):
            place = step / max(1, steps - 1) * (len(colours) - 1)
            index = min(int(place), len(colours) - 2)
            colour = mix(colours[index], colours[index + 1], place - index)
            y = top + (bottom - top) * step / steps
            self.shape([(0, y), (WIDTH, y), (WIDTH, bottom), (0, bottom)], colour)

    def finished(self) -> Image.Image:
        return self.image.resize((WIDTH, HEIGHT), Image.Resampling.BOX)


def horizon(
    rng: Random, base: float, height: float, *, length: float = 420, rough: float = 0.5
) -> list[Point]:
    """Return a line of hills around `base`: value noise, each octave half as long and `rough` times as high."""
    octaves = [
        (
            length / 2**n,
            height * rough**n,
            [rng.uniform(-1, 1) for _ in range(int(WIDTH / length * 2**n) + 3)],
        )
        for n in range(7)
    ]
    line: list[Point] = []
    for x in range(0, WIDTH + 4, 4):
        y = base
        for span, amplitude, heights in octaves:
            cell, part = divmod(x / span, 1)
            ease = part * part * (3 - 2 * part)
            y += amplitude * (heights[int(cell)] * (1 - ease) + heights[int(cell) + 1] * ease)
        line.append((float(x), y))
    return line


def at(line: t.Sequence[Point], x: float) -> float:
    """Return the height of `line` at `x`."""
    return line[min(len(line) - 1, max(0, int(x / 4)))][1]


def fir(sheet: Sheet, rng: Random, x: float, foot: float, height: float, colour: Colour) -> None:
    """Draw one fir tree whose trunk stands at (`x`, `foot`)."""
    tiers = max(5, int(height / 9))
    right: list[Point] = []
    for tier in range(tiers):
        y = foot - height + height * 0.97 * (tier + 1) / tiers
        reach = height * 0.21 * ((tier + 1) / tiers) ** 0.9 * rng.uniform(0.72, 1.1)
        right += [(reach, y), (reach * 0.42, y - height * 0.012)]
    left = [(-reach * rng.uniform(0.85, 1.1), y) for reach, y in reversed(right)]
    outline = [(0.0, foot - height), *right, *left]
    sheet.shape([(x + dx, y) for dx, y in outline], colour)
    sheet.shape([(x - 1.5, foot - 4), (x + 1.5, foot - 4), (x + 1.5, foot + 6), (x - 1.5, foot + 6)], colour)


def ridge() -> Sheet:
    """First light: seven ridges in mist, the nearest with firs."""
    rng = Random(11)
    sheet = Sheet(ink("f3e6d3"))
    sheet.bands(0, 620, [ink("7fa0b0"), ink("c3cdc6"), ink("f1dcc0"), ink("f6cfa6")], 26)
    for radius, share in ((150, 0.25), (112, 0.5), (78, 1.0)):
        sheet.disc(1085, 372, radius, mix(ink("f2d7b4"), ink("fff3d8"), share))
    far, near = ink("b7bfbd"), ink("15313a")
    for layer in range(7):
        depth = layer / 6
        base = 400 + 92 * layer + 8 * layer * depth
        line = horizon(rng, base, 96 - 34 * depth, length=520 - 190 * depth, rough=0.46)
        colour = mix(far, near, depth**0.85)
        sheet.below(line, colour)
        for step in range(5):  # mist gathers at the foot of each ridge
            lowered = [(x, y + 46 + step * 17) for x, y in line]
            sheet.below(lowered, mix(colour, ink("efd9bf"), 0.055 * (step + 1) * (1 - depth)))
        if layer >= 4:
            count, size = ((190, 30), (110, 62), (56, 132))[layer - 4]
            for x in sorted(rng.uniform(-20, WIDTH + 20) for _ in range(count)):
                clearing = layer == 6 and 560 < x < 1130
                height = size * rng.uniform(0.55, 1.2) * (0.5 if clearing else 1)
                fir(sheet, rng, x, at(line, x) + 6, height, mix(colour, ink("0b2027"), 0.25 * rng.random()))
    return sheet


def boat(sheet: Sheet, x: float, y: float, size: float, hull: Colour, sail: Colour) -> None:
    """Draw a small sailing boat and its broken reflection."""
    sheet.shape(
        [
            (x - size, y - 7),
            (x + size * 1.1, y - 10),
            (x + size * 0.7, y + size * 0.2),
            (x - size * 0.7, y + size * 0.2),
        ],
        hull,
    )
    sheet.shape([(x + 3, y - size * 2.9), (x + size, y - size * 0.32), (x + 3, y - size * 0.32)], sail)
    sheet.shape(
        [(x - 3, y - size * 2.5), (x - size * 0.75, y - size * 0.32), (x - 3, y - size * 0.32)],
        mix(sail, hull, 0.22),
    )
    for row in range(9):
        width = size * (0.8 - row * 0.07)
        top = y + size * 0.34 + row * size * 0.27
        shift = (-1) ** row * size * 0.1
        sheet.shape([(x - width + shift, top), (x + width + shift, top), (x + width * 0.7 + shift, top + size * 0.1), (x - width * 0.7 + shift, top + size * 0.1)], mix(sail, hull, 0.55))  # fmt: skip


def estuary() -> Sheet:
    """Evening on the water: a low sun, its path, three boats."""
    rng = Random(23)
    sheet = Sheet(ink("f7b267"))
    sheet.bands(0, 560, [ink("3d3a66"), ink("8a4f7d"), ink("d9657a"), ink("f79d65"), ink("fbd28b")], 30)
    for index in range(15):  # long flat clouds
        y = 60 + index * 29 + rng.uniform(-8, 8)
        x, length = rng.uniform(-200, WIDTH - 100), rng.uniform(180, 620)
        thick = rng.uniform(3, 9)
        tone = mix(ink("5b416f"), ink("ffd9a0"), index / 14)
        sheet.shape([(x, y), (x + length * 0.3, y - thick), (x + length * 0.8, y - thick * 0.6), (x + length, y), (x + length * 0.6, y + thick * 0.5)], tone)  # fmt: skip
    for radius, share in ((132, 0.3), (104, 0.65), (78, 1.0)):
        sheet.disc(640, 512, radius, mix(ink("f9b877"), ink("fff2cf"), share))
    sheet.below(horizon(rng, 548, 20, length=600), ink("a0566f"))
    sheet.below(horizon(rng, 560, 13, length=380), ink("6f4267"))
    sheet.bands(572, HEIGHT, [ink("e58a6c"), ink("a9587a"), ink("57436f"), ink("2c2f56")], 34)
    for _ in range(520):  # ripples: bright on the sun's path, dark elsewhere
        depth = rng.random() ** 1.4
        y = 576 + depth * 420
        spread = 46 + depth * 210
        on_path = rng.random() < 0.55
        x = rng.gauss(640, spread * 0.55) if on_path else rng.uniform(0, WIDTH)
        length, thick = (16 + 70 * depth) * rng.uniform(0.5, 1.4), 0.9 + 4.2 * depth
        light = (
            ink("ffe3ae") if abs(x - 640) < spread else ink("d98a80") if rng.random() < 0.5 else ink("3a3860")
        )
        tone = mix(light, ink("7b4b74"), 0.55 * depth)
        sheet.shape([(x - length, y), (x, y - thick), (x + length, y), (x, y + thick)], tone)
    boat(sheet, 1010, 622, 24, ink("3a2c4d"), ink("f6c38d"))
    boat(sheet, 1196, 655, 34, ink("33284a"), ink("fbe0b4"))
    boat(sheet, 332, 742, 62, ink("251f3d"), ink("fff0d2"))
    for x, y, wing in ((840, 300, 17), (884, 276, 13), (930, 306, 15), (796, 262, 11), (962, 254, 10)):
        for side in (-1, 1):
            sheet.shape([(x, y), (x + side * wing * 0.6, y - wing * 0.5), (x + side * wing * 1.5, y - wing * 0.1), (x + side * wing * 0.6, y - wing * 0.25)], ink("33284a"))  # fmt: skip
    return sheet


def birches() -> Sheet:
    """An autumn wood: pale trunks, falling leaves."""
    rng = Random(37)
    sheet = Sheet(ink("f0d9a4"))
    sheet.bands(0, 720, [ink("e9b44c"), ink("f1cf82"), ink("f7e5bd"), ink("f6e7c8")], 24)
    golds = [ink(code) for code in ("d98324", "e3a02f", "c9641f", "efbe4f", "b4511d")]
    for layer in range(3):
        share = (2 - layer) * 0.3
        for _ in range(2400):
            x = rng.uniform(-20, WIDTH + 20)
            y = abs(rng.gauss(0, 190 - 20 * layer)) - 20
            tone = mix(rng.choice(golds), ink("f7e5bd"), share + 0.12 * rng.random())
            sheet.disc(x, y, rng.uniform(4, 12 + 3 * layer), tone)
        ground = horizon(rng, 716 + 62 * layer, 16, length=500)
        sheet.below(ground, mix(ink("a3541f"), ink("f3dcae"), share * 1.25))
        for _ in range((500, 900, 2600)[layer]):
            x, depth = rng.uniform(0, WIDTH), rng.random()
            leaf(sheet, x, at(ground, x) + 8 + 190 * depth, 2 + layer + 5 * depth, mix(rng.choice(golds), mix(ink("54260f"), ink("f3dcae"), share), 0.6 * rng.random()))  # fmt: skip
        count, width = ((26, 9), (13, 21), (6, 46))[layer]
        for index in range(count):
            x = (index + rng.uniform(0.15, 0.85)) * WIDTH / count
            thick, foot = width * rng.uniform(0.75, 1.2), at(ground, x) + 16 + 40 * layer
            trunk(sheet, rng, x, foot, thick, share)
            for _ in range(int(2.2 * thick)):  # leaves gather where the trunk meets the ground
                tone = mix(rng.choice(golds), ink("f3dcae"), share)
                leaf(sheet, rng.gauss(x, thick * 0.55), foot + rng.uniform(-2, 7), 3 + 2 * layer, tone)
    for _ in range(70):
        x, y, size = rng.uniform(0, WIDTH), rng.uniform(260, 800), rng.uniform(4, 9)
        sheet.shape(
            [(x - size, y), (x, y - size * 0.7), (x + size, y + size * 0.3), (x, y + size * 0.5)],
            rng.choice(golds),
        )
    return sheet


def leaf(sheet: Sheet, x: float, y: float, size: float, colour: Colour) -> None:
    """Draw one fallen leaf."""
    sheet.shape([(x - size, y), (x, y - size * 0.42), (x + size, y), (x, y + size * 0.42)], colour)


def trunk(sheet: Sheet, rng: Random, x: float, foot: float, width: float, haze: float) -> None:
    """Draw one birch trunk from the top edge down to `foot`."""
    lean, air = rng.uniform(-40, 40), ink("f5e2b8")
    bark, shade, mark = (mix(ink(code), air, haze) for code in ("f7f1e4", "cfc2ad", "3c2e26"))
    sheet.shape(
        [
            (x + lean - width * 0.36, -5),
            (x + lean + width * 0.36, -5),
            (x + width * 0.55, foot),
            (x - width * 0.55, foot),
        ],
        bark,
    )
    sheet.shape(
        [
            (x + lean + width * 0.12, -5),
            (x + lean + width * 0.36, -5),
            (x + width * 0.55, foot),
            (x + width * 0.18, foot),
        ],
        shade,
    )
    for _ in range(int(26 + width * 0.5)):
        down = rng.random()
        y = down * foot
        centre = x + lean * (1 - down)
        half = width * (0.36 + 0.19 * down)
        left = rng.random() < 0.5
        start = centre - half if left else centre + half
        reach = half * rng.uniform(0.3, 1.25) * (1 if left else -1)
        thick = max(0.8, width * rng.uniform(0.02, 0.09))
        sheet.shape([(start, y - thick), (start + reach, y), (start, y + thick)], mark)


def dunes() -> Sheet:
    """Night over the dunes: a moon, its halo, many stars."""
    rng = Random(53)
    sheet = Sheet(ink("0e1b33"))
    sheet.bands(0, 640, [ink("0b1630"), ink("15294e"), ink("2a4770"), ink("56718f")], 30)
    for radius, share in ((196, 0.08), (146, 0.17), (104, 0.3), (66, 1.0)):
        sheet.disc(1180, 236, radius, mix(ink("1c3159"), ink("f6efd9"), share))
    for x, y, radius in ((1160, 222, 13), (1198, 254, 9), (1186, 212, 6), (1158, 256, 5)):
        sheet.disc(x, y, radius, ink("dfd5bb"))
    for _ in range(430):
        x, y = rng.uniform(0, WIDTH), 560 * rng.random() ** 1.3
        if math.hypot(x - 1180, y - 236) > 150:
            sheet.disc(
                x,
                y,
                rng.choice((0.7, 0.9, 1.1, 1.1, 1.7, 2.3)),
                mix(ink("8fa6c4"), ink("fffdf2"), rng.random()),
            )
    far, near = ink("56708c"), ink("bfa27c")
    for layer in range(5):
        depth = layer / 4
        crest = horizon(rng, 588 + 84 * layer, 60 + 30 * depth, length=560 + 160 * depth, rough=0.2)
        lit = mix(far, near, depth)
        sheet.below(crest, mix(lit, ink("f1e6cb"), 0.3))  # a thin bright edge towards the moon
        for step in range(14):
            fall = 3 + step * (4 + 5 * depth) * (1 + 0.06 * step)
            slope = [(x, y + fall + fall * 0.28 * math.sin(x / 310 + layer * 1.9)) for x, y in crest]
            sheet.below(slope, mix(lit, ink("14233f"), 0.05 + 0.05 * step))
        for _ in range(int(46 * depth)):  # ripples left by the wind
            x, down = rng.uniform(-50, WIDTH), rng.uniform(16, 90)
            y, length = at(crest, max(0, x)) + down * (0.6 + depth), rng.uniform(30, 120)
            sheet.shape(
                [(x, y), (x + length * 0.5, y + 2), (x + length, y + 1), (x + length * 0.5, y + 4)],
                mix(lit, ink("f1e6cb"), 0.12),
            )
    for x, size, blades in (
        (236, 120, 46),
        (322, 84, 30),
        (150, 66, 22),
        (1420, 74, 26),
    ):  # marram grass on the near dune
        for _ in range(blades):
            start, foot = x + rng.gauss(0, size * 0.13), at(crest, x) + 34 + rng.uniform(-5, 9)
            bend, tall = rng.gauss(0.28, 0.34) * size, size * rng.uniform(0.55, 1.05)
            tip = (start + bend, foot - tall * (1 - abs(bend) / size * 0.35))
            middle = (start + bend * 0.28, foot - tall * 0.62)
            tone = mix(ink("0c1729"), ink("3b4a52"), rng.random() * 0.7)
            sheet.shape(
                [(start - 2, foot), middle, tip, (middle[0] + 2.6, middle[1] + 2), (start + 2, foot)], tone
            )
    return sheet


PRINTS: t.Mapping[str, t.Callable[[], Sheet]] = {
    "first-light": ridge,
    "estuary": estuary,
    "birches": birches,
    "dunes": dunes,
}


def thumbnail(original: Image.Image) -> Image.Image:
    """Return the picture at half its size, with the watermark that the paid file lacks."""
    small = original.resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.BOX)
    font = ImageFont.load_default(34)
    left, top = (WIDTH - small.width) // 2, (WIDTH - small.height) // 2
    for shade, strength, offset in (
        (0, 70, 2),
        (255, 120, 0),
    ):  # a dark edge keeps the words visible on light paper
        stamp = Image.new("L", (WIDTH, WIDTH), 0)
        draw = ImageDraw.Draw(stamp)
        for row in range(16):
            for column in range(-1, 6):
                place = (column * 300 + (row % 2) * 150 + offset, row * 100 + offset)
                draw.text(place, "Saltmarsh Press", fill=strength, font=font)
        turned = stamp.rotate(24, resample=Image.Resampling.BICUBIC)
        mask = turned.crop((left, top, left + small.width, top + small.height))
        small.paste((shade, shade, shade), mask=mask)
    return small


def paint(originals: Path, thumbnails: Path) -> None:
    """Write the four originals and their thumbnails."""
    for name, draw in PRINTS.items():
        picture = draw().finished()
        picture.save(originals / f"{name}.png", optimize=True)
        thumbnail(picture).save(thumbnails / f"{name}.jpg", quality=84, optimize=True)


if __name__ == "__main__":
    here = Path(__file__).parent
    paint(here / "originals", here / "static" / "thumbnails")
