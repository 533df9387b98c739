"""System parts that some tests need and not every machine has."""

from __future__ import annotations

import os
import typing as t

import pytest


def missing(what: str) -> t.NoReturn:
    """Skip the test because a system part is absent, or fail where all must be present (``.ci/run``)."""
    if os.environ.get("TICKETMINER_REQUIRE_ALL") == "1":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)
