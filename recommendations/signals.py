"""Announce what web processes keep in memory, once the change is committed, and take part in erasures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models.signals import m2m_changed, post_delete, post_save
from django.dispatch import receiver

from features.privacy.erasure import user_erased
from recommendations.experiments.running import announce_experiments
from recommendations.models import (
    Campaign,
    Experiment,
    HoldOut,
    HttpSource,
    Leaderboard,
    ModelVersion,
    Placement,
    RecalledItem,
    Rule,
)
from recommendations.serving.explanation_log import forget_explanations
from recommendations.state.own_sources import announce_own_sources
from recommendations.state.placements import announce_placements
from recommendations.versions.lifecycle import models_topic
from recommendations.what_if.request_log import forget_requests
from tracking.snapshots.snapshot import announce


@receiver([post_save, post_delete], sender=Placement)
@receiver([post_save, post_delete], sender=Rule)
@receiver([post_save, post_delete], sender=Campaign)
@receiver([post_save, post_delete], sender=RecalledItem)
def _announce_placements(sender: Any, instance: Placement | Rule | Campaign | RecalledItem, **kwargs: Any) -> None:
    announce_placements(instance.site.slug)


@receiver(m2m_changed, sender=Rule.placements.through)
def _announce_rule_placements(sender: Any, instance: Rule | Placement, action: str, **kwargs: Any) -> None:
    if action.startswith("post_"):
        announce_placements(instance.site.slug)


@receiver([post_save, post_delete], sender=Experiment)
@receiver([post_save, post_delete], sender=HoldOut)
def _announce_experiments(sender: Any, instance: Experiment | HoldOut, **kwargs: Any) -> None:
    announce_experiments(instance.site.slug)


@receiver([post_save, post_delete], sender=HttpSource)
@receiver([post_save, post_delete], sender=Leaderboard)
def _announce_own_sources(sender: Any, instance: HttpSource | Leaderboard, **kwargs: Any) -> None:
    announce_own_sources(instance.site.slug)


@receiver([post_save, post_delete], sender=ModelVersion)
def _announce_models(sender: type[ModelVersion], instance: ModelVersion, **kwargs: Any) -> None:
    announce(models_topic(instance.site.slug))


@receiver(user_erased)
def _forget_explanations(sender: Any, site: str, rec_ids: Sequence[str], **kwargs: Any) -> None:
    forget_explanations(site, rec_ids)
    forget_requests(site)
