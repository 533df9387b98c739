"""The best guesser that we could write: it matches redeemed tickets to issues by whatever order it is shown.

It knows the truth of every other redeemed ticket (as if they were its own) and learns from them how what it sees of a spending
predicts what it sees of the issue. Within each key its guesses are one to one, so that without any information the number of
hits is that of the fixed points of a random injection, whose distribution is computed exactly.
"""

from __future__ import annotations

import bisect
import contextlib
import functools
import math
import statistics
import typing as t
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

ALPHA = 1e-3
"""Outside the 99.9 % interval a result counts as an advantage."""
NEIGHBOURS = 7


class Row(t.NamedTuple):
    """A row and where it stands in some order or time."""

    key_id: bytes
    name: bytes
    place: float


@dataclass(frozen=True)
class View:
    """What somebody sees of the tables.

    :ivar same_scale: places of issued and spent rows can be compared: they are times, or numbers from one sequence.
    """

    name: str
    issued: t.Sequence[Row]
    spent: t.Sequence[Row]
    same_scale: bool = False


@dataclass(frozen=True)
class Guess:
    """How one strategy did on one view.

    :ivar chance: hits expected of somebody who knows nothing.
    :ivar most: hits that such a one exceeds with a probability below `alpha`.
    """

    view: str
    strategy: str
    tickets: int
    hits: int
    chance: float
    most: int

    @property
    def advantage(self) -> bool:
        return self.hits > self.most

    def __str__(self) -> str:
        return (
            f"{self.view:<44} {self.strategy:<10} {self.tickets:>7} {self.hits:>6} {self.chance:>7.1f} {self.most:>6} "
            f"{self.hits / max(1, self.tickets):>9.2%} {self.chance / max(1, self.tickets):>8.2%}"
        )


def header() -> str:
    """Return the heading of a list of guesses."""
    names = ("tickets", "hits", "chance", "99.9%")
    return f"{'view':<44} {'strategy':<10} {names[0]:>7} {names[1]:>6} {names[2]:>7} {names[3]:>6} {'guessed':>9} {'chance':>8}"


def best_guesses(
    view: View, truth: t.Mapping[tuple[bytes, bytes], bytes], *, alpha: float = ALPHA
) -> list[Guess]:
    """Return what every strategy makes of `view`, compared with the truth: (key id, nonce) → hash of the blinded message."""
    cells = _cells(view, truth)
    strategies: dict[str, _Strategy] = {"in order": _in_order, "backwards": _backwards, "learned": _learned}
    if view.same_scale:
        strategies |= {"latest": _latest, "by delay": _by_delay}
    sizes = tuple((len(cell.targets), len(cell.candidates)) for cell in cells)
    chance = sum(spent / issued for spent, issued in sizes)
    most = _quantile(_hits(sizes), alpha / len(strategies))
    tickets = sum(spent for spent, _ in sizes)
    return [
        Guess(
            view.name,
            name,
            tickets,
            sum(
                guess is not None and guess.name == cell.truth[target.name]
                for cell in cells
                for target, guess in zip(cell.targets, strategy(cell), strict=True)
            ),
            chance,
            most,
        )
        for name, strategy in strategies.items()
    ]


def correlation(view: View, truth: t.Mapping[tuple[bytes, bytes], bytes]) -> float:
    """Return how far the order of spendings follows that of their issues, in standard deviations of pure chance.

    Spearman's rank correlation within each key, summed up: it notices what is far too weak to guess a single ticket by.
    """
    total = weight = 0.0
    for key_id in {row.key_id for row in view.spent}:
        issued = {row.name: row.place for row in view.issued if row.key_id == key_id}
        pairs = [
            (row.place, issued[truth[key_id, row.name]])
            for row in view.spent
            if row.key_id == key_id and truth[key_id, row.name] in issued
        ]
        if len(pairs) > 2:
            left, right = (_ranks(places) for places in zip(*pairs, strict=True))
            with contextlib.suppress(statistics.StatisticsError):  # all at one place: no order at all
                total += statistics.correlation(left, right) * (len(pairs) - 1)
                weight += len(pairs) - 1
    return total / math.sqrt(weight) if weight else 0.0


def _ranks(places: t.Sequence[float]) -> list[float]:
    ordered = sorted(places)
    return [
        (bisect.bisect_left(ordered, place) + bisect.bisect_right(ordered, place)) / 2 for place in places
    ]


@dataclass(frozen=True)
class _Cell:
    """One (denomination, epoch): spent rows to be matched, the issued rows that they may be, and examples."""

    targets: list[Row]
    candidates: list[Row]
    examples: list[tuple[Row, Row]]
    truth: dict[bytes, bytes]


_Strategy = t.Callable[[_Cell], t.Sequence[Row | None]]


def _cells(view: View, truth: t.Mapping[tuple[bytes, bytes], bytes]) -> list[_Cell]:
    cells = []
    for key_id in sorted({row.key_id for row in view.spent}):
        issued = sorted((row for row in view.issued if row.key_id == key_id), key=lambda row: row.place)
        spent = sorted((row for row in view.spent if row.key_id == key_id), key=lambda row: row.place)
        by_name = {row.name: row for row in issued}
        # A view that lacks some rows is given the benefit: both rows of each pair that is to be found are in it.
        spent = [row for row in spent if truth[key_id, row.name] in by_name]
        own = {row.name: truth[key_id, row.name] for row in spent}
        # Whose tickets the guesser knows has nothing to do with their place.
        known = {name for name in own if name[-1] % 2}
        examples = [(row, by_name[own[row.name]]) for row in spent if row.name in known]
        taken = {row.name for _, row in examples}
        cells.append(
            _Cell(
                [row for row in spent if row.name not in known],
                [row for row in issued if row.name not in taken],
                examples,
                own,
            )
        )
    return [cell for cell in cells if cell.targets]


def _in_order(cell: _Cell) -> list[Row]:
    return _spread(cell, cell.candidates)


def _backwards(cell: _Cell) -> list[Row]:
    return _spread(cell, cell.candidates[::-1])


def _spread(cell: _Cell, candidates: t.Sequence[Row]) -> list[Row]:
    step = len(candidates) / len(cell.targets)
    return [candidates[int(at * step)] for at in range(len(cell.targets))]


def _learned(cell: _Cell) -> list[Row | None]:
    """Guess the free candidate nearest to where the issues of the nearest known spendings stood."""
    places = [spent.place for spent, _ in cell.examples]
    free = list(cell.candidates)
    free_places = [row.place for row in free]
    guesses: list[Row | None] = []
    for target in cell.targets:
        at = bisect.bisect(places, target.place)
        first = max(0, min(at - NEIGHBOURS // 2, len(places) - NEIGHBOURS))
        near = sorted(issue.place for _, issue in cell.examples[first : first + NEIGHBOURS])
        if not near:
            guesses.append(None)
            continue
        guess = bisect.bisect(free_places, near[len(near) // 2])
        around = [place for place in (guess - 1, guess) if 0 <= place < len(free)]
        best = min(around, key=lambda place: abs(free_places[place] - near[len(near) // 2]))
        guesses.append(free.pop(best))
        free_places.pop(best)
    return guesses


def _latest(cell: _Cell) -> list[Row | None]:
    """Guess the last issue before the spending that is not taken."""
    return _choose(cell, lambda delay: -delay)


def _by_delay(cell: _Cell) -> list[Row | None]:
    """Guess the issue whose distance is the most usual among the known pairs, by a histogram over the distance's logarithm."""
    bins = Counter(_bin(spent.place - issue.place) for spent, issue in cell.examples)
    # A bin twice as wide holds twice as many candidates.
    return _choose(cell, lambda delay: bins[_bin(delay)] / 2 ** (_bin(delay) / 2) - delay * 1e-12)


def _bin(delay: float) -> int:
    return math.floor(2 * math.log2(max(delay, 1)))


def _choose(cell: _Cell, score: t.Callable[[float], float]) -> list[Row | None]:
    free = list(cell.candidates)
    guesses: list[Row | None] = []
    for target in cell.targets:
        end = bisect.bisect_right(free, target.place, key=lambda row: row.place)
        if end == 0:
            guesses.append(None)
            continue
        best = max(range(end), key=lambda at: score(target.place - free[at].place))
        guesses.append(free.pop(best))
    return guesses


@functools.cache
def _hits(sizes: tuple[tuple[int, int], ...]) -> tuple[float, ...]:
    """Return the distribution of the hits of fixed guesses, when each cell's truth is a random injection of s into n."""
    total = [1.0]
    for spent, issued in sizes:
        cell = _fixed_points(spent, issued)
        joined = [0.0] * (len(total) + len(cell) - 1)
        for i, left in enumerate(total):
            for j, right in enumerate(cell):
                joined[i + j] += left * right
        total = joined
    return tuple(total)


@functools.cache
def _fixed_points(spent: int, issued: int, terms: int = 60) -> tuple[float, ...]:
    """Return P(k fixed points) of a random injection, from its factorial moments by inclusion and exclusion."""
    last = min(spent, terms)
    moments = [Fraction(1)]  # E[X choose j]
    for j in range(last):
        moments.append(moments[-1] * Fraction(spent - j, (issued - j) * (j + 1)))
    return tuple(
        float(sum((-1) ** (j - k) * math.comb(j, k) * moments[j] for j in range(k, last + 1)))
        for k in range(min(last, 30) + 1)
    )


def _quantile(distribution: t.Sequence[float], alpha: float) -> int:
    """Return the smallest number that is exceeded with a probability of at most `alpha`."""
    tail = 0.0
    for hits in range(len(distribution) - 1, -1, -1):
        tail += max(0.0, distribution[hits])
        if tail > alpha:
            return hits
    return 0
