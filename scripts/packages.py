"""Build the source archive and the wheel, and install them into empty environments: `python scripts/packages.py PYTHON…`.

The source archive holds every file that git knows. The wheel serves every CPython from 3.11 on (stable ABI); each PYTHON installs
it and mines a ticket, and the first also runs the tests of the kernels against it. The source archive is installed without a
compiler, and mines a ticket too; where the kernels are required, that must fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import typing as t
from pathlib import Path

ROOT = Path(__file__).parent.parent
KERNEL_TESTS = ("pow", "sha256d", "scrypt", "neoscrypt", "yespower", "ethash", "ethash_files")
NO_COMPILER = {"CC": "/bin/false", "CXX": "/bin/false", "TICKETMINER_REQUIRE_NATIVE": "0"}


def run(
    *command: str | Path, cwd: Path, check: bool = True, output: t.IO[str] | None = None, **environment: str
) -> int:
    """Run a command outside of the source tree; a failure ends this program unless `check` is false."""
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    ended = subprocess.run(
        command,
        cwd=cwd,
        env={**own, **environment},
        check=check,
        stdout=output,
        stderr=output and subprocess.STDOUT,
    )
    return ended.returncode


def environment(python: str, folder: Path) -> Path:
    """Make an empty environment and return its Python."""
    run(python, "-m", "venv", folder, cwd=folder.parent)
    return folder / "bin" / "python"


def install(python: Path, *what: str | Path, cwd: Path, **variables: str) -> None:
    """Install with pip."""
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what, cwd=cwd, **variables)


def build(python: str, scratch: Path) -> tuple[Path, Path]:
    """Return the source archive, and the wheel that was built from it with the kernels."""
    builder = environment(python, scratch / "builder")
    install(builder, "build", cwd=scratch)
    dist = scratch / "dist"
    log = scratch / "build.log"
    with log.open("w") as file:
        command = (builder, "-m", "build", "--outdir", dist, ROOT)
        if run(*command, cwd=scratch, check=False, output=file, TICKETMINER_REQUIRE_NATIVE="1"):
            sys.exit(f"{log.read_text()}\npackages: the package cannot be built, see above")
    (archive,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    print(
        f"built {archive.name} ({archive.stat().st_size:,} bytes) and {wheel.name} ({wheel.stat().st_size:,})"
    )
    if "-cp311-abi3-" not in wheel.name:
        sys.exit("packages: the wheel is not one for every CPython from 3.11 on")
    return archive, wheel


def check_archive(archive: Path) -> None:
    """End this program if the source archive lacks a file that git knows: its documentation and tests must run too."""
    with tarfile.open(archive) as tar:
        held = {name.partition("/")[2] for name in tar.getnames()}
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    left_out = sorted(set(listing.stdout.splitlines()) - held - {".gitignore"})
    if left_out:
        sys.exit(f"packages: the source archive lacks {', '.join(left_out)}; add them to MANIFEST.in")


def smoke(python: Path, kind: str, scratch: Path) -> None:
    """Serve a gated page with what is installed, and mine a ticket there."""
    shutil.copy(ROOT / "scripts" / "smoke.py", scratch)
    run(python, "smoke.py", kind, cwd=scratch)


def kernel_tests(python: Path, scratch: Path) -> None:
    """Run the tests of the kernels against the installed package."""
    install(python, "pytest", "hypothesis", cwd=scratch)
    tests = scratch / "tests"
    tests.mkdir()
    shutil.copytree(ROOT / "tests" / "vectors", tests / "vectors")
    for file in (ROOT / "tests").glob("reference_*.py"):
        shutil.copy(file, tests)
    for name in KERNEL_TESTS:
        shutil.copy(ROOT / "tests" / f"test_{name}.py", tests)
    run(python, "-m", "pytest", "-q", "--noconftest", "-p", "no:ticketminer", tests, cwd=scratch)


def main(pythons: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        archive, wheel = build(pythons[0], scratch)
        check_archive(archive)
        for number, python in enumerate(pythons):
            print(f"--- the wheel on {python}", flush=True)
            installed = environment(python, scratch / f"wheel-{number}")
            install(installed, wheel, cwd=scratch)
            smoke(installed, "native", scratch)
            if number == 0:
                kernel_tests(installed, scratch)
        print("--- the source archive, without a compiler", flush=True)
        installed = environment(pythons[0], scratch / "pure")
        with open(os.devnull, "w") as nowhere:
            command = (installed, "-m", "pip", "install", archive)
            required = {**NO_COMPILER, "TICKETMINER_REQUIRE_NATIVE": "1"}
            if run(*command, cwd=scratch, check=False, output=nowhere, **required) == 0:
                sys.exit("packages: TICKETMINER_REQUIRE_NATIVE=1 did not make a failed build fatal")
        install(installed, archive, cwd=scratch, **NO_COMPILER)
        smoke(installed, "pure", scratch)


if __name__ == "__main__":
    main(sys.argv[1:] or [sys.executable])
