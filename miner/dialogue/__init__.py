"""What is said to a site, and what its answers do to the wallet; without the wire (:mod:`miner.transport`)."""

from miner.dialogue.conversation import Conversation

__all__ = ["Conversation"]
