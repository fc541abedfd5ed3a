"""The client of Recsite for shop servers written in Python.

``Tracker`` sends events and keeps each on the local disk until the server has it; ``Recsite`` calls the API: lists,
items, users. Both need msgspec alone.
"""

from recsite_client.api import Recsite
from recsite_client.api_types import PlacementRequest
from recsite_client.cookies import anonymous_id
from recsite_client.exceptions import ApiError, InvalidEvent, NoAnswer, QueueFull, RecsiteError
from recsite_client.sender import RejectedEvent
from recsite_client.tracker import Tracker

__all__ = [
    "ApiError",
    "InvalidEvent",
    "NoAnswer",
    "PlacementRequest",
    "QueueFull",
    "Recsite",
    "RecsiteError",
    "RejectedEvent",
    "Tracker",
    "anonymous_id",
]
