"""The quotas of one web process: what keys and addresses may ask of the HTTP endpoints, counted in one place."""

from __future__ import annotations

from typing import Final

from tracking.http.quotas import Quotas

quotas: Final = Quotas()
