"""Form fields for lists: one entry a line, as merchandisers paste them from a spreadsheet."""

from __future__ import annotations

from typing import Any

from django import forms
from django.urls import reverse_lazy
from unfold.widgets import UnfoldAdminTextareaWidget


class LinesWidget(UnfoldAdminTextareaWidget):  # type: ignore[misc]  # unfold ships no types
    """A text area beside which entries of the catalogue are offered while one types (``suggest.js``)."""

    class Media:
        js = ("recommendations/suggest.js",)

    def __init__(self, *, kind: str, placeholder: str, rows: int = 3) -> None:
        super().__init__(
            attrs={
                "rows": rows,
                "data-suggest": kind,
                "data-suggest-url": reverse_lazy("admin:recommendations_rule_suggest"),
                "data-suggest-hint": placeholder,
            }
        )


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
