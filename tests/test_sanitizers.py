"""The sanitizer builds notice what they are there for: faults planted in a copy of the kernels' sources."""

from __future__ import annotations

import pathlib
import shutil

import pytest
from conftest import missing

from scripts import native, sanitize
from scripts.native import CLANG, GCC, Failed

pytest.importorskip("miner.pow._kernels", reason="the kernels were not compiled here")

from miner.pow import ALGORITHMS


@pytest.fixture(autouse=True)
def compilers() -> None:
    try:
        native.need(GCC)
        native.need(CLANG, libfuzzer=True)
    except Failed as error:
        missing(str(error))


def broken(folder: pathlib.Path, name: str, right: str, wrong: str) -> pathlib.Path:
    """Return a copy of the sources with a fault in the file `name`."""
    copy = folder / "csrc"
    shutil.copytree(native.CSRC, copy)
    text = (copy / name).read_text()
    assert text.count(right) == 1, f"{name} has changed: plant another fault"
    (copy / name).write_text(text.replace(right, wrong))
    return copy


@pytest.mark.parametrize(
    ("name", "right", "wrong", "test", "said"),
    [
        pytest.param(
            "scan.c",
            "memcpy(copies + lane * len, data, len);",
            "memcpy(copies + lane * len, data, len + 1);",
            ("test_kernels", "sha256d"),
            "heap-buffer-overflow",
            id="a read behind a message",
        ),
        pytest.param(
            "dispatch.c",
            "features, lanes, (lanes) * SCRYPT_V_LEN, ANY_LEN",
            "features, lanes, (lanes) * SCRYPT_V_LEN - 16, ANY_LEN",
            ("test_kernels", "scrypt"),
            "heap-buffer-overflow",
            id="scratch memory that is too small",
        ),
        pytest.param(
            "keccak.c",
            "(8 * (i % 8))",
            "(8 * i)",
            ("test_ethash",),
            "shift exponent 64 is too large",
            id="a shift by all bits",
        ),
        pytest.param(
            "scan.c",
            "pow_put_nonce(blobs + lane * len, job, start + done + lane);",
            "pow_put_nonce(blobs + lane * len, job, start + done + lane % 3);",
            ("test_kernels", "neoscrypt"),
            "was left out",
            id="a lane with another one's nonce",
        ),
        pytest.param(
            "scan.c",
            "const size_t used = left < lanes ? (size_t)left : lanes;",
            "const size_t used = left < 1 ? (size_t)left : lanes;",
            ("test_kernels", "neoscrypt"),
            "more than it was asked for",
            id="a search beyond its range",
        ),
        pytest.param(
            "dispatch.c",
            "zmm = (saved & 0xe6) == 0xe6",
            "zmm = (saved & 0x06) == 0x06",
            ("test_dispatch",),
            "AVX-512 and a system that saves ymm",
            id="registers that the system does not save",
        ),
        pytest.param(
            "dispatch.c",
            "SHA256D(shani, POW_SHA, 3, NULL)",
            "SHA256D(shani, POW_AVX512, 3, NULL)",
            ("test_dispatch",),
            "sha256d runs sse2, not shani",
            id="a path with another one's needs",
        ),
    ],
)
def test_a_planted_fault_is_noticed(
    tmp_path: pathlib.Path, name: str, right: str, wrong: str, test: tuple[str, ...], said: str
) -> None:
    with pytest.raises(Failed, match=said):
        sanitize.check(GCC, *test, csrc=broken(tmp_path, name, right, wrong))


def test_a_fuzz_target_notices_a_planted_fault(tmp_path: pathlib.Path) -> None:
    copy = broken(
        tmp_path,
        "scan.c",
        "start + done + lane, digests + lane * POW_DIGEST_LEN",
        "start + done + lane, digests",
    )
    with pytest.raises(Failed, match="none of the hits"):
        sanitize.fuzz("neoscrypt", csrc=copy)


def test_the_sanitized_extension_notices_a_planted_fault(tmp_path: pathlib.Path) -> None:
    copy = broken(tmp_path, "module.c", "nonce_at > len - nonce_len", "nonce_at + nonce_len > len")
    tests = ("tests/test_kernels_arguments.py", "-k", "search_that_cannot_be")
    with pytest.raises(Failed, match="signed integer overflow"):
        sanitize.extension(*tests, csrc=copy)


def test_every_algorithm_has_a_test_and_a_fuzz_target() -> None:
    tested = {word for name, arguments in sanitize.TESTS for word in (name.removeprefix("test_"), *arguments)}
    for name in ALGORITHMS:
        assert name in tested
        assert any(target.partition("-")[0] == name for target in sanitize.TARGETS)


def test_every_test_and_target_in_the_folder_is_run() -> None:
    known = {f"{name}.c" for name, _ in sanitize.TESTS} | {
        target.source for target in sanitize.TARGETS.values()
    }
    assert known == {
        file.name for pattern in ("test_*.c", "fuzz_*.c") for file in native.NATIVE.glob(pattern)
    }


def test_a_compiler_that_is_missing_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert sanitize.main(["tests"]) == 1
    assert (
        "gcc is missing; install what this needs: apt-get install gcc libc6-dev clang-14"
        in capsys.readouterr().err
    )
