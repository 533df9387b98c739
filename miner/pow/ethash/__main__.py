"""``python -m miner.pow.ethash cache|dataset EPOCH [--epoch-length N] [--threads N]``: build what work of an epoch needs."""

from __future__ import annotations

import argparse
import sys
import time

from miner.pow.errors import PowError
from miner.pow.ethash import EPOCH_LENGTH, prepare, prepare_dataset

BAR_WIDTH = 40


class Bar:
    """A progress bar on a terminal, and a line every tenth elsewhere."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.first: int | None = None
        self.shown = -1

    def __call__(self, done: int, everything: int) -> None:
        if self.first is None:
            self.first = done
        seconds = time.monotonic() - self.began
        rate = (done - self.first) / seconds if seconds else 0.0
        left = f", {(everything - done) / rate:,.0f} s left" if rate and done < everything else ""
        line = f"{done / 2**20:,.0f} of {everything / 2**20:,.0f} MiB{left}"
        if sys.stderr.isatty():
            filled = BAR_WIDTH * done // everything
            sys.stderr.write(
                f"\r[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {line}\033[K" + "\n" * (done == everything)
            )
        elif 10 * done // everything != self.shown:
            self.shown = 10 * done // everything
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m miner.pow.ethash", description="Build what work of an epoch needs."
    )
    parser.add_argument(
        "what", choices=["cache", "dataset"], help="the cache for checking, or the dataset for mining"
    )
    parser.add_argument("epoch", type=int)
    parser.add_argument("--epoch-length", type=int, default=EPOCH_LENGTH, help="60000 for Etchash")
    parser.add_argument("--threads", type=int, help="of a dataset; all processors if not given")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.what == "cache":
            path = prepare(chosen.epoch, epoch_length=chosen.epoch_length)
        else:
            path = prepare_dataset(
                chosen.epoch, epoch_length=chosen.epoch_length, threads=chosen.threads, progress=Bar()
            )
    except (PowError, MemoryError, OSError) as error:
        sys.stderr.write(f"{getattr(error, 'strerror', None) or error}\n")
        return 1
    except KeyboardInterrupt:
        goes_on = "goes on from here" if chosen.what == "dataset" else "begins again"
        sys.stderr.write(f"\nStopped; the same command {goes_on}.\n")
        return 130
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
