"""Fuzzing the endpoints: ``python tests/fuzz.py --requests 10000 --seed 1`` prints what was answered, and what was wrong.

A quarter of the requests is made from the OpenAPI document by schemathesis, fitting it and not; the others are valid requests,
with real jobs, tickets, challenges and passes, spoilt in one place or two. Every answer has to be announced, none may be a 5xx
but an announced 503, and the ledger has to hold exactly what the answers told of.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile
import time

if __name__ == "__main__":
    sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parent.parent)]

from fuzz_schema import fuzz_document
from fuzz_site import Fuzzer
from fuzz_valid import fuzz_valid


def fuzz(fuzzer: Fuzzer, requests: int, start: int) -> None:
    """Send `requests` requests: by the document, and almost valid ones. The same `start` makes the same choices."""
    fuzz_document(fuzzer, requests // 4, start)
    fuzz_valid(fuzzer, requests - fuzzer.requests, start)
    fuzzer.judge("the ledger", fuzzer.books.errors())


def main() -> int:
    """Fuzz once and print the table; the status is 1 when something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(pathlib.Path(folder))
        fuzz(fuzzer, words.requests, words.seed)
    print(fuzzer.table())
    seconds = time.monotonic() - began
    print(f"{fuzzer.requests} requests, seed {words.seed}, {seconds:.0f} s: {len(fuzzer.faults)} faults")
    print("\n".join(fuzzer.faults))
    return 1 if fuzzer.faults else 0


if __name__ == "__main__":
    sys.exit(main())
