"""Announce what web processes keep in memory, once the change is committed; nothing else happens in signals."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import m2m_changed, post_delete, post_save
from django.dispatch import receiver

from recommendations.models import ModelVersion, Placement, Rule
from recommendations.state.placements import announce_placements
from recommendations.versions.lifecycle import models_topic
from tracking.snapshots.snapshot import announce


@receiver([post_save, post_delete], sender=Placement)
@receiver([post_save, post_delete], sender=Rule)
def _announce_placements(sender: type[Placement] | type[Rule], instance: Placement | Rule, **kwargs: Any) -> None:
    announce_placements(instance.site.slug)


@receiver(m2m_changed, sender=Rule.placements.through)
def _announce_rule_placements(sender: Any, instance: Rule | Placement, action: str, **kwargs: Any) -> None:
    if action.startswith("post_"):
        announce_placements(instance.site.slug)


@receiver([post_save, post_delete], sender=ModelVersion)
def _announce_models(sender: type[ModelVersion], instance: ModelVersion, **kwargs: Any) -> None:
    announce(models_topic(instance.site.slug))
