"""The pytest plugin of Flask-TicketMiner: fixtures for the tests of sites that take tickets.

It is loaded with every pytest run where the package is installed, so nothing is imported before a fixture is used.
"""

from __future__ import annotations
