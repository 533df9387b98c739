"""The visitor's wallet: one private SQLite file with tickets of many sites, restorable from words."""

from miner.wallet.records import (
    HeldTicket,
    HistoryEntry,
    MiningRun,
    Output,
    PendingRequest,
    Site,
    StoredPass,
)
from miner.wallet.requests import Draft
from miner.wallet.selection import Selection, choose
from miner.wallet.wallet import BACKUP_PROMPT, Wallet

__all__ = [
    "BACKUP_PROMPT",
    "Draft",
    "HeldTicket",
    "HistoryEntry",
    "MiningRun",
    "Output",
    "PendingRequest",
    "Selection",
    "Site",
    "StoredPass",
    "Wallet",
    "choose",
]
