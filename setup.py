"""Build steps that setup.cfg cannot express: the compiled kernels, which are optional.

Without a C compiler the package installs all the same and hashes with hashlib; ``TICKETMINER_REQUIRE_NATIVE=1`` makes that an error.
"""

import os
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

CSRC = Path("miner", "pow", "csrc")
REQUIRED = os.environ.get("TICKETMINER_REQUIRE_NATIVE") == "1"

# The sources are written for gcc and clang, and free-threaded Python has no stable ABI before 3.15.
POSSIBLE = sys.platform != "win32" and not sysconfig.get_config_var("Py_GIL_DISABLED")
if REQUIRED and not POSSIBLE:
    sys.exit(
        "TICKETMINER_REQUIRE_NATIVE=1: there are no kernels for Windows and for free-threaded Python; unset it."
    )

kernels = Extension(
    "miner.pow._kernels",
    sources=sorted(str(source) for source in CSRC.glob("*.c")),
    depends=sorted(str(header) for header in CSRC.glob("*.h")),
    # Only code for every x86-64: a kernel's file opens the instruction set that it needs, and is chosen at run time.
    extra_compile_args=["-O3", "-std=c11", "-fno-strict-aliasing", "-fvisibility=hidden", "-g0"],
    py_limited_api=True,
    optional=not REQUIRED,
)

setup(
    ext_modules=[kernels] if POSSIBLE else [],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if POSSIBLE else {},
)
