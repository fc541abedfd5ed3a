"""What needs somebody's attention on a site: what it is, what to do about it, and the page where it is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from features.models import Feed, FeedRun, Item
from features.store.item_stats import ItemStats
from recommendations.lint.findings import Finding, Problem
from recommendations.models import ModelVersion, Placement, ReportHour, TrainingPolicy
from tracking.models import DeadLetter, Site
from tracking.templatetags.sentences import in_sentence
from tracking.templatetags.written import whole

OLD_MODEL: Final = timedelta(days=8)
"""The usual policy trains once a week; a live version older than that and a day has missed a training."""
QUIET: Final = timedelta(days=7)
LOOKED_AT: Final = 500
"""Items, the most viewed of a week, that are looked up in the catalogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing to do; ``tone`` is bad, warn or ok, and the bad ones come first."""

    tone: str
    subject: str
    problem: str
    what: str
    remedy: str
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What both the tasks and the line of health say of a site, asked once; ``letters`` are the new dead ones."""

    live: ModelVersion | None
    letters: int

    @classmethod
    def of(cls, site: Site) -> Standing:
        """Return how things are now; two queries."""
        return cls(
            live=ModelVersion.objects.filter(site=site, status=ModelVersion.Status.LIVE).first(),
            letters=DeadLetter.objects.filter(site=site, status=DeadLetter.Status.NEW).count(),
        )


_GRAVITY: Final = {"bad": 0, "warn": 1}


def tasks_of(
    site: Site,
    findings: Iterable[tuple[Finding, str]],
    stats: ItemStats | None,
    standing: Standing,
    *,
    more: Iterable[Task] = (),
) -> list[Task]:
    """Return everything to look at, the gravest first.

    Parameters
    ----------
    findings : pairs of a finding of the linter and the page where it is mended
    stats : ItemStats or None
        None while Redis is unavailable: then unknown ids are not looked for.
    """
    found = [
        *(_of_finding(finding, link) for finding, link in findings),
        *_old_models(site, standing.live),
        *_feeds(site),
        *(_unknown_items(site, stats) if stats is not None else ()),
        *_quiet_placements(site),
        *_dead_letters(standing.letters),
        *more,
    ]
    return sorted(found, key=lambda task: _GRAVITY.get(task.tone, 2))


def _of_finding(finding: Finding, link: str) -> Task:
    return Task(
        tone="bad" if finding.problem is Problem.EMPTYING else finding.tone,
        subject=finding.subject,
        problem=in_sentence(finding.problem.label),
        what=f"{finding.what} {finding.why}",
        remedy=finding.remedy,
        link=link,
    )


def _old_models(site: Site, live: ModelVersion | None) -> list[Task]:
    if live is None or timezone.now() - live.created_at <= OLD_MODEL:
        return []
    return [
        Task(
            tone="warn",
            subject=live.version,
            problem=_("model is old"),
            what=_("The live model is %(age)s old: it knows no item and no taste since.")
            % {"age": timesince(live.created_at).split(",")[0]},
            remedy=_("Train it now, or look at why the scheduled training did not run."),
            link=_page("recommendations_trainingpolicy_changelist")
            if TrainingPolicy.objects.filter(site=site).exists()
            else _page("recommendations_modelversion_changelist"),
        )
    ]


def _feeds(site: Site) -> list[Task]:
    tasks = []
    for feed in Feed.objects.filter(site=site, is_active=True):
        run = FeedRun.objects.filter(feed=feed).exclude(status=FeedRun.Status.RUNNING).first()
        if run is None:
            continue
        link = _page("features_feedrun_change", run.pk)
        if run.status == FeedRun.Status.FAILED:
            tasks.append(
                Task(
                    tone="bad",
                    subject=feed.name,
                    problem=_("feed failed"),
                    what=run.error[:200] or _("The last load ended with an error."),
                    remedy=_("Mend the address or the file, then fetch the feed again."),
                    link=link,
                )
            )
        elif run.status == FeedRun.Status.WAITING:
            tasks.append(
                Task(
                    tone="warn",
                    subject=feed.name,
                    problem=_("feed waits"),
                    what=_("The last load would deactivate more items than the feed allows at once."),
                    remedy=_("Look at what is missing, then approve it or refuse it."),
                    link=link,
                )
            )
        elif run.rejected_rows:
            tasks.append(
                Task(
                    tone="warn",
                    subject=feed.name,
                    problem=_("rows refused"),
                    what=ngettext(
                        "%(count)s row of the last load was refused.",
                        "%(count)s rows of the last load were refused.",
                        run.rejected_rows,
                    )
                    % {"count": whole(run.rejected_rows)},
                    remedy=_("The run lists them with the reason; mend them in the shop's system."),
                    link=link,
                )
            )
    return tasks


def _unknown_items(site: Site, stats: ItemStats) -> list[Task]:
    wanted = stats.popular(window="7d", limit=LOOKED_AT)
    if not wanted:
        return []
    known = set(Item.objects.filter(site=site, item_id__in=wanted).values_list("item_id", flat=True))
    unknown = [item_id for item_id in wanted if item_id not in known]
    if not unknown:
        return []
    named = ", ".join(unknown[:3])
    return [
        Task(
            tone="warn",
            subject=_("Unknown items"),
            problem=_("not in the catalogue"),
            what=_("%(count)s of the %(all)s most viewed items are not in the catalogue, such as %(named)s.")
            % {"count": len(unknown), "all": len(wanted), "named": named},
            remedy=_("Send them with a feed, or let pages send the ids that the catalogue has."),
            link=_page("features_item_data_quality"),
        )
    ]


def _quiet_placements(site: Site) -> list[Task]:
    since = timezone.now() - QUIET
    seen = set(
        ReportHour.objects.filter(site=site, attribution="", hour__gte=int(since.timestamp()), impressions__gt=0)
        .values_list("placement", flat=True)
        .distinct()
    )
    if not seen:  # nothing is measured yet: that is one thing to do, not one for each placement
        return []
    quiet = [
        (name, number)
        for name, number in Placement.objects.filter(site=site, is_active=True).values_list("name", "pk")
        if name not in seen
    ]
    return [
        Task(
            tone="warn",
            subject=name,
            problem=_("no impressions"),
            what=_("Nobody has seen this placement for seven days."),
            remedy=_("Put its widget into a page, or switch the placement off."),
            link=_page("recommendations_placement_change", number),
        )
        for name, number in quiet
    ]


def _dead_letters(count: int) -> list[Task]:
    if not count:
        return []
    return [
        Task(
            tone="warn",
            subject=_("Dead letters"),
            problem=_("records put aside"),
            what=ngettext("%(count)s record waits.", "%(count)s records wait.", count) % {"count": whole(count)},
            remedy=_("Each says what is wrong with it; send it again once that is mended, or discard it."),
            link=_page("tracking_deadletter_changelist"),
        )
    ]


def _page(name: str, number: int | None = None) -> str:
    try:
        return reverse(f"admin:{name}", args=[] if number is None else [number])
    except NoReverseMatch:
        return ""
