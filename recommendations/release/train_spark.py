"""From a site's archive to a registered version by way of Spark: export, gate and serving are those of ``registry``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from django.conf import settings as django_settings

from features.models import Item
from recommendations.models import ModelVersion
from recommendations.release.gate import CHAMPION
from recommendations.release.train import champion_of, new_version_name, register, write_version
from recommendations.training.fitted import FittedModelSet
from recommendations.training.settings import Progress, TrainingSettings, no_progress
from recommendations.training.spark.session import spark_session
from tracking.models import Site


def train_site_on_spark(  # the command's options, one each
    site: Site,
    *,
    master: str,
    settings: TrainingSettings | None = None,
    memory_mb: int = 4_096,
    partitions: int = 0,
    promotes: bool = True,
    progress: Progress = no_progress,
    on_fitted: Callable[[FittedModelSet], object] = lambda fitted: None,
) -> ModelVersion:
    """Train on Spark, register the version with its gate report, and promote it when the gate lets it.

    Raises
    ------
    SparkUnavailable
        pyspark or Java is missing, or the master does not answer.
    InvalidDataset
        There is too little to train on.
    """
    settings = settings or TrainingSettings()
    with spark_session(master, memory_mb=memory_mb, partitions=partitions) as spark:
        from recommendations.training.spark.log import read_log  # pyspark is optional, and here it is installed
        from recommendations.training.spark.train import train_on_spark

        log = read_log(spark, str(django_settings.ARCHIVE_URL), site=site.slug)
        champion = champion_of(site)
        if champion is not None:
            if log.ended_by(champion.seen_until_ms) < len(log):
                settings = dataclasses.replace(settings, held_out_after_ms=champion.seen_until_ms)
            else:
                champion = None  # it has seen every session there is
        fitted = train_on_spark(
            log,
            settings=settings,
            progress=progress,
            catalogue=Item.objects.filter(site=site, is_active=True).values_list("item_id", flat=True).iterator(),
            baselines={CHAMPION: champion.opened} if champion is not None else {},
        )
    on_fitted(fitted)
    version = new_version_name()
    write_version(fitted, site, version)
    return register(site, version, fitted.metrics, promotes=promotes)
