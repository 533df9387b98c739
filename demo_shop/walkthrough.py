"""The demonstration behind ``make demo``: start the shop, mine in the terminal as a visitor, and buy a picture.

Everything it writes stays in this checkout: the shop and the visitor's wallet in ``instance/``, the picture in
``downloads/``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from scripts.preflight import port_problem

ROOT = Path(__file__).resolve().parent.parent
INSTANCE = ROOT / "instance"
VISITOR = INSTANCE / "visitor"
DOWNLOADS = Path("downloads")
PICTURE = "birches"
TICKETS = 4  # one more than the picture costs, so that there is change to see


def main() -> int:
    """Run the demonstration and return its exit status; Ctrl-C is a way to end it, at any point."""
    parser = argparse.ArgumentParser(
        prog="make demo", description="A shop, and a visitor who buys a picture."
    )
    parser.add_argument("--port", type=int, default=5000, help="port on 127.0.0.1")
    parser.add_argument("--once", action="store_true", help="end after the purchase")
    arguments = parser.parse_args()
    problem = port_problem(str(arguments.port))
    if problem:
        print(problem, file=sys.stderr)
        return 1
    os.chdir(ROOT)
    os.environ |= dict.fromkeys(("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"), str(VISITOR))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the shop is stopped on the way out
    url = f"http://127.0.0.1:{arguments.port}"
    try:
        with running_shop(arguments.port) as shop:
            buy(url)
            if not arguments.once:
                print(
                    f"\nThe shop is open at {url}/ until you press Ctrl-C: buy another picture there in your browser.\n"
                    "To pay from a terminal, open another one in this folder and make the command known: . .venv/bin/activate",
                    flush=True,
                )
                shop.wait()
    except KeyboardInterrupt:
        return 0
    except ShopDidNotStart as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def buy(url: str) -> None:
    """Mine as a visitor until there is enough, buy the picture, and compare it with the shop's own."""
    print(
        f"The shop is open at {url}/. Now a visitor, in this terminal, who agrees to its terms (--yes):",
        flush=True,
    )
    shutil.rmtree(
        VISITOR, ignore_errors=True
    )  # a new visitor each time: the last one has paid for this picture
    earlier = set(DOWNLOADS.glob("*"))
    ticketminer("mine", url, "--tickets", str(TICKETS), "--yes")
    ticketminer("get", f"{url}/pictures/{PICTURE}/original", "-o", f"{DOWNLOADS}/")
    ticketminer("wallet")
    (bought,) = set(DOWNLOADS.glob("*")) - earlier
    if bought.read_bytes() != (ROOT / "demo_shop" / "originals" / f"{PICTURE}.png").read_bytes():
        raise SystemExit(f"{bought} differs from the shop's original.")
    print(f"\n{bought} equals the shop's original, byte for byte.", flush=True)


def ticketminer(*words: str) -> None:
    """Run the visitor's command line as a terminal would.

    :raises SystemExit: it failed, and has said why.
    :raises KeyboardInterrupt: the visitor interrupted it.
    """
    # Imported late and run in this process: Ctrl-C while an interpreter starts would print a traceback.
    from miner.cli import Status
    from miner.cli import main as command_line

    print(f"\n$ ticketminer {' '.join(words)}", flush=True)
    status = command_line(list(words), standalone_mode=False)
    if status == Status.INTERRUPTED:
        raise KeyboardInterrupt
    if status:
        raise SystemExit(int(status))


class ShopDidNotStart(Exception):
    """The shop's process ended, or stayed silent."""


@contextlib.contextmanager
def running_shop(port: int) -> t.Iterator[subprocess.Popen[bytes]]:
    """Run the shop as ``flask --app demo_shop run`` does, its log in the instance folder.

    :raises ShopDidNotStart: names the log.
    """
    INSTANCE.mkdir(exist_ok=True)
    log = INSTANCE / "shop.log"
    with log.open("wb") as output:
        shop = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "demo_shop", "run", "--port", str(port)],
            env={**os.environ, "FLASK_SKIP_DOTENV": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the visitor first; the shop is stopped below
        )
    try:
        wait_until_open(shop, port, log)
        yield shop
    finally:
        shop.terminate()
        shop.wait()


def wait_until_open(shop: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the shop takes connections."""
    deadline = time.monotonic() + 60
    while shop.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise ShopDidNotStart(f"The shop did not start; the reason is at the end of {log}.")


if __name__ == "__main__":
    sys.exit(main())
