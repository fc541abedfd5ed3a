"""Form fields of merchandisers: lists as they paste them from a spreadsheet, times as their clocks show them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django import forms
from django.urls import reverse_lazy
from django.utils.formats import date_format
from django.utils.timezone import is_aware
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextareaWidget

from recommendations.core.local_times import SkippedTime, local_time

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class LinesWidget(UnfoldAdminTextareaWidget):  # type: ignore[misc]  # unfold ships no types
    """A text area beside which entries of the catalogue are offered while one types (``suggest.js``)."""

    class Media:
        js = ("recommendations/suggest.js",)

    def __init__(self, *, kind: str, placeholder: StrOrPromise, rows: int = 3) -> None:
        super().__init__(
            attrs={
                "rows": rows,
                "data-suggest": kind,
                "data-suggest-url": reverse_lazy("admin:recommendations_rule_suggest"),
                "data-suggest-hint": placeholder,
            }
        )


class LocalTimeField(forms.SplitDateTimeField):
    """A time as clocks of ``zone`` show it; clean values are naive, and the form says which instant they are.

    Attributes
    ----------
    zone : ZoneInfo
        Of the site; UTC until the form knows the site.
    """

    widget = UnfoldAdminSplitDateTimeWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.zone = ZoneInfo("UTC")

    def prepare_value(self, value: Any) -> Any:
        """Return a stored moment as the zone's clocks show it."""
        return local_time(value, self.zone) if isinstance(value, dt.datetime) and is_aware(value) else value

    def compress(self, data_list: Any) -> dt.datetime | None:
        """Return date and time as one naive time."""
        if not data_list:
            return None
        date, time = data_list
        if date in self.empty_values:
            raise forms.ValidationError(self.error_messages["invalid_date"], code="invalid_date")
        # A day without a time begins at midnight.
        return dt.datetime.combine(date, time if time not in self.empty_values else dt.time())

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return whether the clocks show another time."""
        return super().has_changed(self.prepare_value(initial), data)


def clock_words(local: dt.datetime) -> str:
    """Return a naive time as the reader's language writes it."""
    return date_format(local, "DATE_FORMAT") + local.strftime(" %H:%M")


def skipped_words(error: SkippedTime) -> str:
    """Return in the reader's language that clocks never show a time, and which they show instead."""
    is_one_day = error.earlier.date() == error.later.date()
    earlier, later = (f"{at:%H:%M}" if is_one_day else clock_words(at) for at in (error.earlier, error.later))
    return _(
        "%(local)s does not exist in %(zone)s, where the clocks are put forward then; choose %(earlier)s or %(later)s."
    ) % {"local": clock_words(error.local), "zone": error.zone.key, "earlier": earlier, "later": later}


class LinesField(forms.Field):
    """A list of texts, one a line; blank lines and repeats are dropped."""

    def __init__(self, **kwargs: Any) -> None:
        # What a model's JSON field offers its form field and a list does not need.
        for name in ("encoder", "decoder"):
            kwargs.pop(name, None)
        kwargs.setdefault("widget", UnfoldAdminTextareaWidget(attrs={"rows": 3}))
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """Return a list as lines."""
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> list[str]:
        """Return lines as a list."""
        if isinstance(value, list):
            return value
        return list(dict.fromkeys(line.strip() for line in str(value or "").splitlines() if line.strip()))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return whether the lists differ, however their lines are spaced."""
        return bool(self.to_python(data) != self.to_python(self.prepare_value(initial)))
