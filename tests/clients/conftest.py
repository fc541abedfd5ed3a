"""The installation that the tests of the API use, for the clients of it."""

from tests.api.conftest import place

__all__ = ["place"]
