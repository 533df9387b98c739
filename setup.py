"""Build steps that setup.cfg cannot express: the compiled kernels, which are optional.

Without a C compiler the package installs all the same and hashes with hashlib; ``TICKETMINER_REQUIRE_NATIVE=1`` makes a failed build
an error.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

CSRC = Path("miner", "pow", "csrc")

kernels = Extension(
    "miner.pow._kernels",
    sources=sorted(str(source) for source in CSRC.glob("*.c")),
    depends=sorted(str(header) for header in CSRC.glob("*.h")),
    # Only code for every x86-64: a kernel's file opens the instruction set that it needs, and is chosen at run time.
    extra_compile_args=["-O3", "-std=c11", "-fno-strict-aliasing", "-fvisibility=hidden", "-g0"],
    py_limited_api=True,
    optional=os.environ.get("TICKETMINER_REQUIRE_NATIVE") != "1",
)

setup(
    ext_modules=[] if sys.platform == "win32" else [kernels],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
