"""``python -m benchmarks NAME``: run one benchmark."""

from __future__ import annotations

import sys

from benchmarks import inpage, kernels, server, tips, visit

BENCHMARKS = {
    "kernels": kernels.main,
    "page": inpage.main,
    "server": server.main,
    "tips": tips.main,
    "visit": visit.main,
}


def main() -> int:
    names = ", ".join(BENCHMARKS)
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHMARKS:
        print(f"usage: python -m benchmarks NAME [--json] [--help]; the names are: {names}", file=sys.stderr)
        return 2
    return BENCHMARKS[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
