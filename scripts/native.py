"""Compiles the kernels' C sources and their C tests with the address and undefined-behaviour sanitizers.

Objects and programs stay in build/sanitize/, named after everything they were made from, and are made again when any of it changes.
"""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

ROOT = Path(__file__).parent.parent
CSRC = ROOT / "miner" / "pow" / "csrc"
NATIVE = ROOT / "tests" / "native"
VECTORS = ROOT / "tests" / "vectors"
BUILT = ROOT / "build" / "sanitize"

PACKAGES = "gcc libc6-dev clang-14 libclang-rt-14-dev"
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
WARNINGS = ("-Wall", "-Wextra", "-Werror")
FLAGS = (
    *WARNINGS,
    *SANITIZERS,
    "-std=c11",
    "-g1",
    "-fPIC",
    "-fno-strict-aliasing",
    "-fno-omit-frame-pointer",
)
SLOW = re.compile(r"yespower_.*\.c")
"""Files that the checks make so large that both compilers would optimise each for half a minute."""

MOST_SECONDS = 300
"""After which a program is stuck."""

MOST_LINES = 60
"""That are told of what a program said before it failed."""

DIGESTS = {
    "sha256d": ("hash_internal_hex", "sha256d_internal_hex"),
    "scrypt": ("scrypt_hash_internal",),
    "neoscrypt": ("output_internal_hex",),
    "yespower": ("hash_hex",),
    "ethash": ("keccak256_hex", "keccak512_hex"),
}
"""The members of a published vector that hold a digest of its message."""

PERSONALISATION = "ticketminer local v1"


class Failed(Exception):
    """A compiler is missing or refuses, or a program found something."""


class Compiler(t.NamedTuple):
    program: str
    optimise: str

    def flags(self, source: Path) -> list[str]:
        flags = [*FLAGS, "-O0" if SLOW.fullmatch(source.name) else self.optimise]
        # The way through a kernel hardly depends on what it hashes: libFuzzer learns from the code around the kernels.
        if self.program.startswith("clang") and (source.parent == NATIVE or "_" not in source.name):
            flags.append("-fsanitize=fuzzer-no-link")
        return flags


GCC, CLANG = Compiler("gcc", "-O1"), Compiler("clang-14", "-O1")


def run(command: t.Sequence[str | Path], seconds: float = MOST_SECONDS, **options: t.Any) -> str:
    """Run `command` and return everything it said.

    :raises Failed: it failed, or did not end within `seconds`.
    """
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            **options,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{command[0]} did not end within {seconds:.0f} s") from error
    if done.returncode:
        said = "\n".join(done.stdout.splitlines()[:MOST_LINES])
        raise Failed(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{said}")
    return done.stdout


def need(compiler: Compiler, *, libfuzzer: bool = False) -> None:
    """Do nothing where `compiler` is here, and libFuzzer if that is wanted.

    :raises Failed: with what to install.
    """
    if shutil.which(compiler.program) is None:
        raise Failed(f"{compiler.program} is missing; install what this needs: apt-get install {PACKAGES}")
    library = f"libclang_rt.fuzzer-{os.uname().machine}.a"
    if libfuzzer and not Path(run([compiler.program, f"-print-file-name={library}"]).strip()).is_file():
        raise Failed(f"libFuzzer is missing; install what this needs: apt-get install {PACKAGES}")


def pool() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(os.cpu_count())


@functools.cache
def headers(folder: Path) -> bytes:
    """Return something that changes with every header in `folder`."""
    return b"".join(file.name.encode() + file.read_bytes() for file in sorted(folder.glob("*.h")))


def vectors() -> str:
    """Return the published vectors as C: which algorithm, message and digest, and the parameters of yespower."""
    rows = []
    for name, members in DIGESTS.items():
        for case in json.loads((VECTORS / f"{name}.json").read_text())["cases"]:
            message, string = case.get("header_hex", case.get("input_hex")), case.get("pers_utf8", "")
            for member in members:
                if message is not None and member in case:
                    algorithm = name if name != "ethash" else member.removesuffix("_hex")
                    if (
                        string not in ("", PERSONALISATION)
                        or case.get("N", 1024) * case.get("r", 8) != 1024 * 8
                    ):
                        algorithm += " with other parameters"
                    said = [
                        algorithm,
                        case["id"],
                        message,
                        case[member],
                        case.get("N", 0),
                        case.get("r", 0),
                        string,
                    ]
                    rows.append(f"    {{{', '.join(map(json.dumps, said))}}},")
    return "\n".join(
        (
            "typedef struct {",
            "  const char *algorithm, *id, *message, *digest;",
            "  unsigned n, r;",
            "  const char *personalisation;",
            "} vector;",
            "",
            "static const vector vectors[] = {",
            *rows,
            "    {0, 0, 0, 0, 0, 0, 0},",
            "};\n",
        )
    )


@functools.cache
def include() -> Path:
    """Return the folder of vectors.h, which is written if it is not there."""
    text = vectors()
    folder = BUILT / f"include-{hashlib.sha256(text.encode()).hexdigest()[:24]}"
    if not (folder / "vectors.h").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILT) as scratch:
            Path(scratch, "vectors.h").write_text(text)
            os.replace(Path(scratch, "vectors.h"), folder / "vectors.h")
    return folder


def made(folder: str, name: str, key: bytes, command: t.Sequence[str | Path]) -> Path:
    """Return the file that `command` with ``-o FILE`` makes of what `key` tells apart; run it only if the file is not there."""
    stem, _, suffix = name.partition(".")
    kept = BUILT / folder / f"{stem}.{hashlib.sha256(key).hexdigest()[:24]}{suffix and '.' + suffix}"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            run([*command, "-o", Path(scratch, "made")])
            os.replace(Path(scratch, "made"), kept)
    return kept


def compiled(compiler: Compiler, source: Path, *more: str, csrc: Path = CSRC) -> Path:
    """Return the object of `source`, with the kernels' headers in `csrc`.

    :raises Failed: there is no such compiler, or it does not like the source.
    """
    need(compiler)
    options = [compiler.program, *compiler.flags(source), *more]
    key = repr(options).encode() + source.read_bytes() + headers(csrc) + headers(NATIVE) + headers(include())
    if source.parent == NATIVE:
        key += (csrc / "dispatch.c").read_bytes()  # which its test includes
    return made("objects", f"{source.stem}.o", key, [*options, f"-I{csrc}", f"-I{include()}", "-c", source])


def kernels(compiler: Compiler, csrc: Path = CSRC) -> list[Path]:
    """Return the objects of all the kernels in `csrc`, without the modules for Python and WebAssembly."""
    sources = [file for file in sorted(csrc.glob("*.c")) if not re.match("module|wasm", file.name)]
    with pool() as workers:
        return list(workers.map(lambda source: compiled(compiler, source, csrc=csrc), sources))


def linked(compiler: Compiler, name: str, objects: t.Sequence[Path], *more: str) -> Path:
    """Return the program, or with ``-shared`` the library, of `objects`."""
    command = [compiler.program, *SANITIZERS, *more, *objects]
    return made("programs", name, repr(command).encode(), command)
