"""Which things a search or a department shows, and the best of them first."""

from __future__ import annotations

from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber

from features.models import Item


def matching(items: QuerySet[Item], term: str) -> QuerySet[Item]:
    """Return what has each word of ``term``: by title first, then by category or brand, then by description."""
    by_title, by_kind = Q(), Q()
    for word in term.split():
        stem = word[:-1] if len(word) > 4 and word.endswith("s") else word
        in_title = Q(title__icontains=stem)
        in_kind = Q(category__icontains=stem) | Q(brand__icontains=stem)
        # In a description only the beginning of a word counts: "consistent" is no tent.
        in_text = Q(description__icontains=f" {stem}") | Q(description__istartswith=stem)
        items = items.filter(in_title | in_kind | in_text)
        by_title, by_kind = by_title & in_title, by_kind & (in_title | in_kind)
    if not term:
        return items.order_by("item_id")
    fit = Case(
        When(by_title, then=Value(0)), When(by_kind, then=Value(1)), default=Value(2), output_field=IntegerField()
    )
    return items.annotate(fit=fit).order_by("fit", "item_id")


def best_first(items: QuerySet[Item]) -> QuerySet[Item]:
    """Return the items in the shop's own order: one of each category in turn, so that a department shows all it has."""
    in_turn = Window(RowNumber(), partition_by=[F("category")], order_by=[F("item_id").asc()])
    return items.annotate(turn=in_turn).order_by("turn", "item_id")
