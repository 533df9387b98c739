# ruff: noqa: UP031, UP036  (a Python too old for the project must still be able to parse and run this)
"""Print one line saying why this machine cannot run the project and what to do; print nothing when it can.

Usage: preflight.py [PORT]. The Makefile calls it with the system's Python before it creates `.venv`, and with a port before
it starts a demo. Standard library only.
"""

import os
import socket
import sys


def python_problem():
    """The sentence about a Python that is too old or cannot make virtual environments, or None."""
    if sys.version_info < (3, 11):
        return (
            "Python 3.11 or later is needed and this is %d.%d; name a newer one: make PYTHON=python3.12"
            % sys.version_info[:2]
        )
    if os.path.exists(os.path.join(".venv", "bin", "pip")):
        return None
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return "Python's venv module is missing; install it: apt-get install python3-venv"
    return None


def port_problem(text):
    """The sentence about a port on 127.0.0.1 that cannot be used, or None."""
    if not (text.isdigit() and 1 <= int(text) <= 65535):
        return "PORT must be a number from 1 to 65535: make demo PORT=5001"
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", int(text)))
    except OSError:
        another = int(text) + 1 if int(text) < 65535 else 5001
        return "port %s of 127.0.0.1 is taken or not allowed; choose another: make demo PORT=%d" % (
            text,
            another,
        )
    finally:
        listener.close()
    return None


if __name__ == "__main__":
    problem = python_problem() or (port_problem(sys.argv[1]) if len(sys.argv) > 1 else None)
    if problem:
        print(problem)
