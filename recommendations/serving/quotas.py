"""The quotas of one web process: requests to the HTTP endpoints by key and address, counted in one place."""

from __future__ import annotations

from typing import Final

from tracking.http.quotas import Quotas

quotas: Final = Quotas()
