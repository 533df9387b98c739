"""The real server: gunicorn with several worker processes, killed as a whole."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pathlib
import signal
import socket
import time
import typing as t
from multiprocessing.context import ForkServerContext

from torture_app import Site, build

WORKERS, THREADS = 4, 8
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def processes() -> ForkServerContext:
    """Return the context in which servers and clients are started: forks of a process that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    if not getattr(context, "_torture_ready", False):
        folder = str(pathlib.Path(__file__).parent)
        outside = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = folder if outside is None else f"{folder}{os.pathsep}{outside}"
        try:
            context.set_forkserver_preload(["torture_preload"])
            context.Process(target=_nothing).start()
        finally:
            if outside is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = outside
        context._torture_ready = True  # type: ignore[attr-defined]
    return context


class Server:
    """Serves the site that `description` (a file) describes, always at the same address.

    :ivar starts: how often it was started.
    """

    def __init__(self, description: pathlib.Path, log: pathlib.Path) -> None:
        self.description = description
        self.log = log
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.starts = 0
        self._process: t.Any = None

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        self.starts += 1
        self._process = processes().Process(
            target=_serve, args=(str(self.description), self.port, str(self.log)), daemon=True
        )
        self._process.start()
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.is_alive():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.005)
        raise RuntimeError(f"gunicorn did not start; its log is {self.log}")

    def kill(self) -> None:
        """Kill -9 the master and all workers, at once, and wait until nobody listens."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()
        self._process = None
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                return
            time.sleep(0.002)
        raise RuntimeError("somebody still listens after the server was killed")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _serve(description: str, port: int, log: str) -> None:
    from gunicorn.app.base import BaseApplication

    os.setsid()
    # Should the harness itself be killed, its servers go too.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM)
    site = Site.read(description)

    class Gunicorn(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            settings = {
                "bind": f"127.0.0.1:{port}",
                "workers": WORKERS,
                "worker_class": "gthread",
                "threads": THREADS,
                "preload_app": True,
                "keepalive": 60,
                "timeout": 120,
                "errorlog": log,
                "capture_output": True,
                "control_socket_disable": True,
            }
            for name, value in settings.items():
                if name in self.cfg.settings:  # older versions have fewer
                    self.cfg.set(name, value)

        def load(self) -> t.Any:
            return build(site)

    Gunicorn().run()


def _nothing() -> None:
    pass
