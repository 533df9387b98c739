"""The mining engine: finds shares for sites' jobs, politely, and sends them."""

from miner.engine.clock import Clock, SystemClock
from miner.engine.engine import MINEABLE, Engine, default_threads
from miner.engine.events import Event, EventKind
from miner.engine.interfaces import Client, Job, Submission, Tips
from miner.engine.power import PowerSource, SysfsPower
from miner.engine.statistics import Reason, SiteSnapshot, Snapshot, State
from miner.engine.value import solvable

__all__ = [
    "MINEABLE",
    "Client",
    "Clock",
    "Engine",
    "Event",
    "EventKind",
    "Job",
    "PowerSource",
    "Reason",
    "SiteSnapshot",
    "Snapshot",
    "State",
    "Submission",
    "SysfsPower",
    "SystemClock",
    "Tips",
    "default_threads",
    "solvable",
]
