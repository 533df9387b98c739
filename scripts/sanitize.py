"""Run the kernels' C tests and fuzz targets under the address and undefined-behaviour sanitizers: `make sanitize`.

`python -m scripts.sanitize [PART...]` does these parts, all of them if none is named:

- `tests`: tests/native/test_*.c, compiled with gcc and with clang.
- `fuzz`, or a target by its name: tests/native/fuzz_*.c with clang's libFuzzer, each a fixed number of inputs, or for `--seconds N`.
- `extension`: the Python extension itself, in pytest.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import re
import sys
import sysconfig
import tempfile
import time
import typing as t
from pathlib import Path

from scripts.native import (
    BUILT,
    CLANG,
    CSRC,
    GCC,
    MOST_SECONDS,
    NATIVE,
    ROOT,
    Compiler,
    Failed,
    compiled,
    kernels,
    linked,
    need,
    pool,
    run,
)

PARTS = ("tests", "fuzz", "extension")

TESTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *(("test_kernels", (name,)) for name in ("sha256d", "scrypt", "neoscrypt", "yespower")),
    *((name, ()) for name in ("test_ethash", "test_yespower", "test_dispatch")),
)
"""Programs and their arguments."""


class Target(t.NamedTuple):
    """A fuzz target: its file, what that is compiled for, and how many inputs it gets if nothing else is said."""

    source: str
    defines: tuple[str, ...]
    runs: int


def kernel(algorithm: str, most: int, runs: int) -> Target:
    """Return the target of `algorithm`, with searches of `most` nonces at most."""
    return Target("fuzz_kernel.c", (f'-DALGORITHM="{algorithm}"', f"-DMOST={most}"), runs)


TARGETS = {
    "sha256d": kernel("sha256d", most=64, runs=5000),
    "scrypt": kernel("scrypt", most=26, runs=100),
    "neoscrypt": kernel("neoscrypt", most=34, runs=100),
    "yespower": kernel("yespower", most=4, runs=8),
    "yespower-any": Target("fuzz_yespower.c", (), 6),
    "ethash-light": Target("fuzz_ethash.c", ("-DWHAT=LIGHT",), 100),
    "ethash-full": Target("fuzz_ethash.c", ("-DWHAT=FULL",), 100),
    "ethash-scan": Target("fuzz_ethash.c", ("-DWHAT=SCAN",), 60),
}

HELPERS = {
    "test_kernels.c": ["compare.c"],
    "test_ethash.c": ["compare_ethash.c"],
    "fuzz_kernel.c": ["compare.c"],
    "fuzz_ethash.c": ["compare_ethash.c"],
}
"""What a test or target is linked with, besides check.c and the kernels."""

EXTENSION_TESTS = ("tests/test_kernels_arguments.py", "-k", "not no_memory")
"""All but those that take memory away, since a sanitizer needs terabytes of addresses."""

SEEDS = 20
"""Inputs of random bytes that a target begins from, or half of the inputs it gets."""


def program(compiler: Compiler, source: str, csrc: Path, defines: t.Sequence[str] = (), *link: str) -> Path:
    objects = [compiled(compiler, NATIVE / source, *defines, csrc=csrc)]
    objects += [
        compiled(compiler, NATIVE / helper, csrc=csrc) for helper in ("check.c", *HELPERS.get(source, []))
    ]
    others = kernels(compiler, csrc)
    if source == "test_dispatch.c":  # which has its own
        others = [file for file in others if not file.name.startswith("dispatch.")]
    return linked(compiler, Path(source).stem, [*objects, *others], *link)


def check(compiler: Compiler, name: str, *arguments: str, csrc: Path = CSRC) -> str:
    """Run a C test and return what it said.

    :raises Failed: it failed, or a sanitizer objected.
    """
    return run([program(compiler, f"{name}.c", csrc), *arguments])


def fuzz(name: str, *, seconds: int = 0, seed: int = 1, csrc: Path = CSRC) -> str:
    """Run a fuzz target, for `seconds` if given, and return a line about it.

    :raises Failed: it failed, or a sanitizer objected; the input is in build/sanitize/.
    """
    need(CLANG, libfuzzer=True)
    chosen, made = TARGETS[name], random.Random(seed)
    limit = f"-max_total_time={seconds}" if seconds else f"-runs={chosen.runs}"
    with tempfile.TemporaryDirectory() as corpus:
        for number in range(min(SEEDS, chosen.runs // 2)):
            Path(corpus, str(number)).write_bytes(made.randbytes(made.randrange(40, 500)))
        target = program(CLANG, chosen.source, csrc, chosen.defines, "-fsanitize=fuzzer")
        options = [
            limit,
            f"-seed={seed}",
            "-max_len=512",
            "-len_control=0",
            f"-artifact_prefix={BUILT}/{name}.",
        ]
        said = run([target, corpus, *options], seconds + MOST_SECONDS)
    done = re.search(r"Done (\d+) runs in", said)
    if done is None:
        raise Failed(f"{name}: no runs were counted\n{said}")
    return f"{int(done[1]):,} inputs, seed {seed}"


def extension(*tests: str, csrc: Path = CSRC) -> str:
    """Run `tests` of Python with a sanitized extension in place of the installed one, and return what pytest said.

    :raises Failed: a test failed, or a sanitizer objected.
    """
    headers = f"-I{sysconfig.get_path('include')}"
    modules = [compiled(GCC, file, headers, csrc=csrc) for file in sorted(csrc.glob("module*.c"))]
    library = linked(GCC, "extension.so", [*modules, *kernels(GCC, csrc)], "-shared")
    environment = os.environ | {
        "LD_PRELOAD": run([GCC.program, "-print-file-name=libasan.so"]).strip(),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter's own
        "PYTHONMALLOC": "malloc",  # so that each object ends where the sanitizer watches
        "PYTHONPATH": str(NATIVE),
        "TICKETMINER_SANITIZED_KERNELS": str(library),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-s",
        "-p",
        "sanitized",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    said = run(command, cwd=ROOT, env=environment)
    if f"sanitized: {library}" not in said:
        raise Failed(f"pytest ran without {library}\n{said}")
    return said


def timed(job: t.Callable[[], str]) -> str:
    """Do `job` and return how long it took, with the last line of what it said."""
    began = time.monotonic()
    last = job().strip().splitlines()[-1]
    return f"{time.monotonic() - began:5.1f} s  {last}"


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.sanitize",
        description="Run the kernels' C tests and fuzz targets under sanitizers.",
    )
    parser.add_argument(
        "part", nargs="*", choices=[[], *PARTS, *TARGETS], help="only these parts, or fuzz targets"
    )
    parser.add_argument("--seconds", type=int, default=0, metavar="N", help="fuzz each target for N seconds")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="give the fuzz targets other inputs")
    options = parser.parse_args(words)
    parts = options.part or PARTS
    jobs: list[tuple[Compiler, str, t.Callable[[], str]]] = []
    if "extension" in parts:
        jobs.append((GCC, "extension", functools.partial(extension, *EXTENSION_TESTS)))
    if "tests" in parts:
        for compiler in (GCC, CLANG):
            for name, arguments in TESTS:
                said = " ".join((compiler.program, name, *arguments))
                jobs.append((compiler, said, functools.partial(check, compiler, name, *arguments)))
    for name in TARGETS:
        if "fuzz" in parts or name in parts:
            job = functools.partial(fuzz, name, seconds=options.seconds, seed=options.seed)
            jobs.append((CLANG, f"fuzz {name}", job))
    failed = False
    try:
        for compiler in dict.fromkeys(compiler for compiler, _, _ in jobs):
            began = time.monotonic()
            count = len(kernels(compiler))
            print(f"{compiler.program}: {count} objects in {time.monotonic() - began:.0f} s", flush=True)
        with pool() as workers:
            outcomes = [workers.submit(timed, job) for _, _, job in jobs]
            for (_, name, _), outcome in zip(jobs, outcomes, strict=True):
                if error := outcome.exception():
                    if not isinstance(error, Failed):
                        raise error
                    failed = True
                    print(f"{name:32} FAILED\n{error}", flush=True)
                else:
                    print(f"{name:32} {outcome.result()}", flush=True)
    except Failed as error:
        print(f"sanitize: {error}", file=sys.stderr)
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
