"""What a benchmark found: one line a measurement, as a table or as JSON."""

from __future__ import annotations

import json
import statistics
import typing as t
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Result:
    """One measurement against the named reference of the same run.

    :ivar ratio: ours to the reference; above 1 is better.
    :ivar more: further figures, such as percentiles in milliseconds.
    """

    name: str
    value: float
    unit: str
    reference: str
    ratio: float
    more: dict[str, float] = field(default_factory=dict)

    def document(self) -> dict[str, t.Any]:
        own = asdict(self)
        return {**own.pop("more"), **own}


def median_ratio(ours: Sequence[float], reference: Sequence[float]) -> float:
    """Return the median of the ratios of blocks that ran next to each other."""
    return statistics.median(a / b for a, b in zip(ours, reference, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def print_results(results: Sequence[Result], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"results": [result.document() for result in results]}, indent=2))
        return
    columns = sorted({name for result in results for name in result.more})
    head = ["name", "value", "unit", "reference", "ratio", *columns]
    rows = [
        [
            r.name,
            f"{r.value:,.1f}",
            r.unit,
            r.reference,
            f"{r.ratio:.3f}",
            *(_cell(r, name) for name in columns),
        ]
        for r in results
    ]
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(result: Result, name: str) -> str:
    return f"{result.more[name]:,.2f}" if name in result.more else "-"
