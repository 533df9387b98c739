"""Build the WebAssembly modules of the kernels: `python scripts/wasm.py [--into DIR] [--check]`, or `make wasm`.

One module an algorithm and level, `ALGORITHM.LEVEL.wasm`: `simd` needs WebAssembly's 128-bit SIMD (browsers since 2023), `scalar`
nothing beyond WebAssembly itself. They are in the tree, since no visitor and few hosts have this compiler, and the same compiler gives
the same bytes: `--check` builds them anew and fails where they differ. The linker is called directly, because clang's driver would run
wasm-opt where that is installed.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

ROOT = Path(__file__).parent.parent
CSRC = ROOT / "miner" / "pow" / "csrc"
MODULES = ROOT / "miner" / "pow" / "wasm"

VERSION = "14.0.6"
TOOLS = ("clang-14", "wasm-ld-14")
PACKAGES = "clang-14 lld-14"

COMPILE = (
    "--target=wasm32",
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-fno-strict-aliasing",
    "-fvisibility=hidden",
)
LINK = ("--no-entry", "--strip-all", "--gc-sections", "--stack-first", "-z", "stack-size=65536")
LEVELS: dict[str, tuple[str, ...]] = {"scalar": (), "simd": ("-msimd128",)}
COMMON = ("wasm.c", "wasm_string.c", "dispatch.c", "scan.c")

SMALL = ("-O2", "-mllvm", "-inline-threshold=25", "-DSHA256_SMALL")
"""Half the bytes of -O3, which repeats SHA-256 wherever yespower begins and ends with it."""

TABLE = ("sha256d", "scrypt", "neoscrypt", "ethash", "yespower")
"""The algorithms in dispatch.c, all but one of which a module leaves out."""


class Module(t.NamedTuple):
    """What an algorithm is built from.

    :attr scalar, simd: the file of each level.
    :attr shared: files of both.
    :attr scratch: bytes of scratch memory in each level (`scratch_len` in dispatch.c); a module with less takes no message.
    :attr common: what every module but that of ethash has.
    :attr optimise: options that make the module as fast and as small as it gets.
    """

    scalar: str
    simd: str
    shared: tuple[str, ...] = ()
    scratch: tuple[int, int] = (0, 0)
    common: tuple[str, ...] = COMMON
    optimise: tuple[str, ...] = ("-O3",)

    def sources(self, level: str) -> tuple[str, ...]:
        return (*self.common, *self.shared, self.simd if level == "simd" else self.scalar)


ALGORITHMS = {
    "sha256d": Module("sha256d_portable.c", "sha256d_simd128.c", ("sha256.c",)),
    "neoscrypt": Module("neoscrypt_portable.c", "neoscrypt_simd128.c", scratch=(33_600, 134_400)),
    "scrypt": Module("scrypt_portable.c", "scrypt_simd128.c", ("sha256.c",), (131_072, 393_216)),
    # What every visitor downloads: local work only.
    "yespower": Module(
        "yespower_portable.c",
        "yespower_simd128.c",
        ("sha256.c",),
        scratch=(1_147_904, 2_295_808),
        optimise=(*SMALL, "-DYESPOWER_LOCAL_ONLY"),
    ),
    # The same with an export `parameters`, for others than those of local work.
    "yespower-any": Module(
        "yespower_portable.c",
        "yespower_simd128.c",
        ("sha256.c", "wasm_yespower.c"),
        scratch=(1_147_904, 2_295_808),
        optimise=SMALL,
    ),
    "ethash": Module(
        "ethash_portable.c",
        "ethash_simd128.c",
        ("ethash.c", "keccak.c"),
        common=("wasm_ethash.c", "wasm_string.c"),
    ),
}


class WrongToolchain(Exception):
    """Another compiler would give other bytes."""


def toolchain() -> str:
    """Return the name and version of compiler and linker.

    :raises WrongToolchain: one is missing or of another version; says how to get it.
    """
    found = []
    for program in TOOLS:
        try:
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            said = ""
        version = re.search(r"\d+\.\d+\.\d+", said)
        if version is None or version[0] != VERSION:
            raise WrongToolchain(
                f"the modules are built with {program} {VERSION}, and here is {version[0] if version else 'none'}; install it: "
                f"apt-get install {PACKAGES} (Debian 12 has that version)"
            )
        found.append(f"{program} {said.splitlines()[0]}")
    return ", ".join(found)


def build(algorithm: str, level: str, into: Path, csrc: Path = CSRC) -> Path:
    """Compile and link one module; return its file."""
    module = ALGORITHMS[algorithm]
    scratch = module.scratch[level == "simd"]
    defines = [f"-DPOW_WASM_SCRATCH_LEN={scratch}"]
    defines += [f"-DPOW_NO_{other.upper()}" for other in TABLE if other != algorithm.partition("-")[0]]
    file = into / f"{algorithm}.{level}.wasm"
    with tempfile.TemporaryDirectory() as scratch_folder:
        objects = []
        for source in module.sources(level):
            objects.append(f"{scratch_folder}/{source}.o")
            flags = [*COMPILE, *module.optimise, *LEVELS[level], *defines, "-isystem", "wasm"]
            subprocess.run(["clang-14", *flags, "-c", source, "-o", objects[-1]], cwd=csrc, check=True)
        linked = Path(scratch_folder, "module")
        subprocess.run(["wasm-ld-14", *LINK, *objects, "-o", linked], check=True)
        file.write_bytes(linked.read_bytes())
    return file


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the WebAssembly modules of the kernels.")
    parser.add_argument("algorithm", nargs="*", choices=[[], *ALGORITHMS], help="only these; otherwise all")
    parser.add_argument("--into", type=Path, default=MODULES, metavar="DIR", help="where the modules go")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail where the modules in the tree differ"
    )
    options = parser.parse_args(arguments)
    try:
        print(toolchain())
    except WrongToolchain as error:
        print(f"wasm: {error}", file=sys.stderr)
        return 1
    wanted = [(name, level) for name in options.algorithm or ALGORITHMS for level in LEVELS]
    differ = []
    with (
        tempfile.TemporaryDirectory() as fresh,
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        into = Path(fresh) if options.check else options.into
        into.mkdir(parents=True, exist_ok=True)
        for file in pool.map(lambda row: build(row[0], row[1], into), wanted):
            print(f"{file.name:24} {file.stat().st_size:7} bytes")
            shipped = MODULES / file.name
            if not shipped.is_file() or shipped.read_bytes() != file.read_bytes():
                differ.append(file.name)
    if options.check and differ:
        print(
            f"wasm: not what the sources give: {', '.join(differ)}; run make wasm and commit them",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
