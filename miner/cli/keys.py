"""Single keys from a terminal, without waiting for a line."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import typing as t


@contextlib.contextmanager
def pressed_keys() -> t.Iterator[t.Callable[[], str]]:
    """Give a function that returns the keys pressed since its last call, or an empty string.

    Ctrl-C keeps its meaning. Where stdin is no terminal, or the system has no termios, nothing is ever pressed.
    """
    try:
        import termios
        import tty
    except ImportError:
        yield lambda: ""
        return
    if not sys.stdin.isatty():
        yield lambda: ""
        return
    stdin = sys.stdin.fileno()
    before = termios.tcgetattr(stdin)

    def read() -> str:
        if not select.select([stdin], [], [], 0)[0]:
            return ""
        return os.read(stdin, 32).decode(errors="replace")

    try:
        tty.setcbreak(stdin)
        yield read
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)
