"""Stratum v1: work from a mining pool, and shares to it."""

from flask_ticketminer.work.stratum.errors import BadJob, Disconnected, Misbehaved, Refused, UpstreamError
from flask_ticketminer.work.stratum.header import build_header

__all__ = ["BadJob", "Disconnected", "Misbehaved", "Refused", "UpstreamError", "build_header"]
