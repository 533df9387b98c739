"""The page's modules in Node, which answers what tests ask it, and the vectors and keys that Python is asked with too."""

from __future__ import annotations

import functools
import json
import pathlib
import shutil
import subprocess
import typing as t
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fake_keys import private_key
from mnemonic import Mnemonic
from parts import missing

from miner.tokens import CodecError, spki_from_public_key

HERE = pathlib.Path(__file__).parent
DRIVER = HERE / "browser" / "tokens.mjs"
WORDS = Mnemonic("english").wordlist
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""Of base64url."""

Case = dict[str, t.Any]


class PageRefused(Exception):
    """The page threw; `problem` is what it would tell the views, `tree` the names of its classes."""

    def __init__(self, problem: Case, tree: list[str]) -> None:
        super().__init__(f"{tree[0] if tree else 'A value'}: {problem}")
        self.problem = problem
        self.tree = tree


class Node:
    """Node with the page's modules; called with an operation of tokens.mjs, it returns what that returns."""

    def __init__(self, context: str) -> None:
        program = shutil.which("node")
        if program is None:
            missing("needs Node: apt-get install nodejs")
        assert program is not None
        self._process = subprocess.Popen(
            [program, DRIVER, context], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, operation: str, *args: object) -> t.Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps([operation, *args]) + "\n")
        stdin.flush()
        answer = json.loads(stdout.readline())
        if "problem" in answer:
            raise PageRefused(answer["problem"], answer["tree"])
        return answer.get("result")

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="session", params=["secure", "insecure"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Both ways to hash: with crypto.subtle, and without."""
    started = Node(request.param)
    yield started
    started.close()


@pytest.fixture(scope="session")
def plain_node() -> Iterator[Node]:
    """For what hashes nothing."""
    started = Node("secure")
    yield started
    started.close()


@pytest.fixture(scope="session")
def word_node(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Node:
    """The same as `node`, and it knows the words of BIP 39."""
    path = tmp_path_factory.mktemp("words") / "english.txt"
    path.write_text("\n".join(WORDS) + "\n")
    assert node("wordList", str(path)) == 2048
    return node


def vectors(name: str) -> Case:
    return t.cast(Case, json.loads((HERE / "vectors" / f"{name}.json").read_text()))


WALLET = vectors("wallet")
WALLETS = pytest.mark.parametrize("case", WALLET["cases"], ids=lambda case: case["issuer_name"])


@functools.cache
def keys() -> list[rsa.RSAPrivateKey]:
    return [private_key(1), private_key(2), private_key(4)]


def spki_of(key: rsa.RSAPrivateKey | rsa.RSAPublicKey) -> str:
    public = key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key
    return spki_from_public_key(public).hex()


def same(node: Node, python: Callable[[], bytes | str], operation: str, *args: object) -> None:
    """Assert that both answer the same, or refuse for the same cause."""
    cause = None
    try:
        wanted = python()
    except CodecError as error:
        cause = error.cause
    if cause is None:
        assert node(operation, *args) == (wanted.hex() if isinstance(wanted, bytes) else wanted)
        return
    with pytest.raises(PageRefused) as refused:
        node(operation, *args)
    assert (refused.value.problem["code"], refused.value.problem["cause"]) == ("site-protocol", cause)
