"""Valid records that broke a function, and wait among the dead letters until the mistake is mended.

They are dead letters like any other, also in the admin; this is the way of whoever is on call at a terminal.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import QuerySet

from features.exceptions import FeatureError
from features.privacy.erasure import erased_check
from features.state.batch import POISON
from tracking.dead_letters import rows
from tracking.models import DeadLetter


class NotQuarantined(FeatureError):
    """Some of the numbers are of no waiting record."""

    def __init__(self, unknown: Collection[int]) -> None:
        super().__init__(
            f"no waiting record has the number {', '.join(map(str, sorted(unknown)))}: "
            "`manage.py stream quarantine list` shows those that wait"
        )


def waiting() -> QuerySet[DeadLetter]:
    """Return the records that wait, oldest first, after new ones were brought from the log.

    Raises
    ------
    LogUnavailable
        The log cannot be reached.
    """
    rows.import_dead_letters(is_erased=erased_check())
    return _waiting()


def find(numbers: Collection[int]) -> list[DeadLetter]:
    """Return the waiting records of these numbers; raises ``NotQuarantined``."""
    found = list(_waiting().filter(pk__in=numbers))
    if unknown := set(numbers) - {letter.pk for letter in found}:
        raise NotQuarantined(unknown)
    return found


def _waiting() -> QuerySet[DeadLetter]:
    letters = DeadLetter.objects.filter(reason=POISON, origin="stream", status=DeadLetter.Status.NEW)
    return letters.select_related("site").order_by("occurred_at", "pk")
