"""A small client for shop servers written in Python: ``Client(url, key).track("purchase", …)``.

Needs neither Django nor Redis on the shop's side, only msgspec. An event is on the local disk when ``track`` returns,
and is sent by a background thread until the server has it.
"""

from tracking.client.client import Client
from tracking.client.queue import QueueFull
from tracking.exceptions import InvalidEvent

__all__ = ["Client", "InvalidEvent", "QueueFull"]
