"""A typed client of the API for shop servers in Python: ``Recsite(url, key).recommend(placement="home_for_you")``.

Needs neither Django nor Redis on the shop's side, only msgspec. Events have a client of their own that keeps them on
disk until they are sent: ``tracking.client``.
"""

from recommendations.client.client import Recsite
from recommendations.client.shapes import ApiError, NoAnswer, PlacementRequest

__all__ = ["ApiError", "NoAnswer", "PlacementRequest", "Recsite"]
