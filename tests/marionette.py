"""WebDriver as Firefox speaks it over its Marionette port: length-prefixed JSON, one command at a time."""

from __future__ import annotations

import itertools
import json
import socket
import typing as t

PATIENCE = 60.0
"""Seconds that the browser has for an answer."""


class MarionetteError(Exception):
    """The browser refused a command: the error code of WebDriver and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Marionette:
    """A session with a Firefox that listens on a loopback port."""

    def __init__(self, port: int) -> None:
        self._line = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._stream = self._line.makefile("rb")
        self._numbers = itertools.count(1)
        self._receive()  # the greeting
        # Who navigates waits for the page by other means: Firefox would wait for ever for an address that is a download.
        self("WebDriver:NewSession", pageLoadStrategy="none", unhandledPromptBehavior="dismiss")

    def __call__(self, command: str, **parameters: t.Any) -> t.Any:
        """Send a command and return its value.

        :raises MarionetteError: the browser refuses it.
        :raises OSError: there is nobody to answer, or no answer within :data:`PATIENCE`.
        """
        number = next(self._numbers)
        message = json.dumps([0, number, command, parameters]).encode()
        self._line.sendall(b"%d:%b" % (len(message), message))
        _, answered, error, result = self._receive()
        assert answered == number
        if error is not None:
            raise MarionetteError(error["error"], error["message"])
        return result.get("value") if isinstance(result, dict) and set(result) == {"value"} else result

    def chrome(self, script: str, *arguments: t.Any) -> t.Any:
        """Run the body of an async function with the browser's own rights, in its window."""
        self("Marionette:SetContext", value="chrome")
        try:
            return self(
                "WebDriver:ExecuteScript",
                script=f"return (async (...args) => {{ {script} }})(...arguments)",
                args=arguments,
                sandbox="system",
                newSandbox=False,
            )
        finally:
            self("Marionette:SetContext", value="content")

    def close(self) -> None:
        self._stream.close()
        self._line.close()

    def _receive(self) -> t.Any:
        length = b""
        while (byte := self._stream.read(1)) != b":":
            if not byte:
                raise ConnectionResetError("Firefox hung up")
            length += byte
        body = self._stream.read(int(length))
        if len(body) < int(length):
            raise ConnectionResetError("Firefox hung up")
        return json.loads(body)
