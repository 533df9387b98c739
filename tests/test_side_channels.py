"""What time and faults could tell about the site's secrets: signing is blinded, and secrets are compared in constant time."""

from __future__ import annotations

import _hashlib
import ast
import contextlib
import ctypes
import os
import pathlib
import re
import sys
import typing as t
from collections.abc import Iterator

import pytest
from flask import Flask
from mints import Mint

from flask_ticketminer.mint.key_pool import pooled_keys
from flask_ticketminer.mint.signer import Signer, paths
from flask_ticketminer.secrets import Secrets


def test_gmpy2_signs_every_message_under_a_factor_of_its_own() -> None:
    signer, drawn = Signer(pooled_keys()(), path="gmpy2"), []

    def watch(frame: t.Any, what: str, result: object) -> None:
        if what == "return" and frame.f_code.co_name == "randbelow":
            drawn.append(result)

    sys.setprofile(watch)
    try:
        signatures = {signer.sign(b"\0" + bytes(range(255))) for _ in range(3)}
    finally:
        sys.setprofile(None)
    assert len(signatures) == 1
    assert len(set(drawn)) == 3


@pytest.mark.skipif("libcrypto" not in paths(), reason="Python brings no OpenSSL 3 here")
def test_openssl_blinds_with_randomness_of_its_own() -> None:
    with counted_randomness() as drawn:
        Signer(pooled_keys()(), path="libcrypto").sign(b"\0" + bytes(range(255)))
    # A signature without padding needs no randomness but for blinding.
    assert sum(drawn) >= 256


@contextlib.contextmanager
def counted_randomness() -> Iterator[list[int]]:
    """Yield the sizes of what OpenSSL draws from its generator of random numbers meanwhile, which is the system's."""
    drawn: list[int] = []
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)

    def draw(buffer: int, size: int) -> int:
        ctypes.memmove(buffer, os.urandom(size), size)
        drawn.append(size)
        return 1

    class Method(ctypes.Structure):
        """RAND_METHOD of <openssl/rand.h>."""

        _fields_: t.ClassVar = [
            ("seed", ctypes.c_void_p),
            ("bytes", kind),
            ("cleanup", ctypes.c_void_p),
            ("add", ctypes.c_void_p),
            ("pseudorand", kind),
            ("status", ctypes.CFUNCTYPE(ctypes.c_int)),
        ]

    library = ctypes.CDLL(_hashlib.__file__)
    library.RAND_get_rand_method.restype = ctypes.c_void_p
    before = ctypes.c_void_p(library.RAND_get_rand_method())
    method = Method(bytes=kind(draw), pseudorand=kind(draw), status=ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1))
    library.RAND_set_rand_method(ctypes.byref(method))
    try:
        yield drawn
    finally:
        library.RAND_set_rand_method(before)


_SECRET = re.compile(r"(^|_)(tag|mac|hmac|secret|secrets|password|seed|master|wrapped|signature)$")
_MAKERS = {"mac", "_derive", "mac_keys", "wrapping_keys"}


def plain_comparisons(source: str) -> list[int]:
    """Return the lines that compare a MAC or a secret with ==, != or in."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for operator in node.ops)
        and any(_is_secret(operand) for operand in (node.left, *node.comparators))
    ]


def _is_secret(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Attribute):
            owner = function.value.id if isinstance(function.value, ast.Name) else ""
            return function.attr in _MAKERS or owner == "hmac" or _is_secret(function.value)
        return isinstance(function, ast.Name) and function.id in _MAKERS
    name = getattr(node, "attr", None) or getattr(node, "id", "")
    return _SECRET.search(name) is not None


def test_a_site_compares_no_secret_in_variable_time() -> None:
    """The site only: nobody but its owner can time a wallet."""
    sources = (pathlib.Path(__file__).parent.parent / "flask_ticketminer").rglob("*.py")
    found = {str(path): plain_comparisons(path.read_text()) for path in sources}
    assert len(found) > 50
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "hmac.digest(key, message, 'sha256') == tag",
        "given != secrets.mac('job', b'')",
        "self.tag in known",
        "hmac.new(key, message).hexdigest() != text",
    ],
)
def test_a_secret_compared_in_variable_time_is_noticed(line: str) -> None:
    assert plain_comparisons(line) == [1]


@pytest.mark.parametrize("change", [0, 31])
def test_a_mac_must_match_in_its_first_and_last_byte(memory_mint: Mint, change: int) -> None:
    application = Flask(__name__)
    application.config["SECRET_KEY"] = "0123456789abcdef"
    kept = Secrets(application, memory_mint.settings)
    tag = bytearray(kept.mac("challenge", b"message"))
    assert kept.mac_matches("challenge", b"message", bytes(tag))
    tag[change] ^= 1
    assert not kept.mac_matches("challenge", b"message", bytes(tag))
