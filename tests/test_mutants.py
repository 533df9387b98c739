"""The mutation check itself: its list fits the program, and it tells what is caught from what is not."""

from __future__ import annotations

import dataclasses

import pytest
from mutants import MUTANTS
from mutation import ROOT, Mutant, NotCaught, catch
from test_claims import defined_in

HARMLESS = Mutant(
    "an amount is an integer",
    "miner/tokens/amounts.py",
    "MAX_AMOUNT = 2**31 - 1",
    "MAX_AMOUNT = 2_147_483_647",
    ("test_tokens.py::test_what_does_not_spell_an_amount_is_refused",),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutants_line_stands_in_the_program_once(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.line) == 1
    assert mutant.broken != mutant.line
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert name in defined_in(file)


def test_a_broken_line_is_caught() -> None:
    lax = dataclasses.replace(HARMLESS, broken="MAX_AMOUNT = 2**31")
    assert catch(lax).startswith("test_tokens.py::test_what_does_not_spell_an_amount_is_refused[")


def test_a_harmless_change_survives() -> None:
    with pytest.raises(NotCaught, match="not caught by"):
        catch(HARMLESS)


@pytest.mark.parametrize("broken", ["MAX_AMOUNT = (", "MAX_AMOUNT = nothing", "import nothing"])
def test_a_program_that_does_not_run_proves_nothing(broken: str) -> None:
    with pytest.raises(NotCaught, match=r"pytest ran no tests|does not run|no test of"):
        catch(dataclasses.replace(HARMLESS, broken=broken))


def test_a_line_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NotCaught, match="0 times, not once"):
        catch(dataclasses.replace(HARMLESS, line="MAX_AMOUNT = 7"))
