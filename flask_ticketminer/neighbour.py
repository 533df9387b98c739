"""The other package of this distribution, ``miner``: a host's own module of that name would be taken for it."""

from __future__ import annotations

from importlib.machinery import PathFinder
from importlib.util import find_spec


def check_miner() -> None:
    """Make sure that ``import miner`` means our package; imports nothing.

    :raises ImportError: names the file that stands in its way.
    """
    found = find_spec("miner")
    places = list((found and found.submodule_search_locations) or ())
    if PathFinder.find_spec("miner.tokens", places) is not None:
        return
    if found is None:
        raise ImportError("Flask-TicketMiner is installed without its package 'miner': install it again.")
    raise ImportError(
        f"{found.origin or places[0]} is taken for the package 'miner' of Flask-TicketMiner: give it another name.",
        name="miner",
        path=found.origin,
    )
