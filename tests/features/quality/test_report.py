"""The findings: none for a tidy shop, and one that names its remedy for each kind of trouble."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.quality.report import CatalogueUse, Level, QualityReport, make_report
from tracking.quality import counts
from tracking.quality.clocks import WrongClock
from tracking.quality.counts import Name, Sample
from tracking.quality.reading import QualityCountsRead

TIDY: dict[Name, int] = {
    (counts.EVENTS, "view_item", "browser"): 1_000,
    (counts.EVENTS, "add_to_cart", "browser"): 300,
    (counts.EVENTS, "purchase", "server"): 50,
    (counts.ORDERS, "EUR"): 50,
    (counts.CLOCKS, "within 2 s"): 900,
    (counts.CLOCKS, "hours ahead"): 3,
    (counts.REFUSED, "params.items", "invalid_event"): 2,
    (counts.PAGES, "/product"): 60,
    (counts.ACTING_PAGES, "/product"): 50,
}
USED = CatalogueUse(n_items=100, n_seen=90, known=1_300, unknown=3)


def report_of(
    changes: dict[Name, int], *, samples: dict[Name, list[Sample]] | None = None, use: CatalogueUse = USED
) -> QualityReport:
    month = Counter({**TIDY, **changes})
    return make_report(
        QualityCountsRead(day=Counter(month), month=month, samples=samples or {}),
        site="shop", currency="EUR", catalogue=use,
    )  # fmt: skip


def test_a_tidy_shop_has_nothing_to_do() -> None:
    assert report_of({}).findings == ()


SAMPLE = Sample(at_ms=0, path="events[0].params.value", value="A-7", remedy="send the value itself")


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({(counts.REFUSED, "params.value", "invalid_event"): 40}, Level.WARNING, "refused"),
        ({(counts.REFUSED, "params.value", "invalid_event"): 400}, Level.FAULT, "refused"),
        ({(counts.MENDED, "price", "reread"): 200}, Level.NOTE, "mended"),
        ({(counts.ORDERS_AGAIN, "count"): 9}, Level.WARNING, "more than once"),
        ({(counts.ORDERS, "JPY"): 1}, Level.WARNING, "other currencies"),
        ({(counts.ORDERS, "(none)"): 1}, Level.NOTE, "no currency"),
        ({(counts.CLOCKS, "hours behind"): 200}, Level.WARNING, "hours off"),
        ({(counts.WARNINGS, "user_id_placeholder"): 1}, Level.WARNING, "name nobody"),
        ({(counts.WARNINGS, counts.NETWORK_UNKNOWN): 1}, Level.WARNING, "networks are not known"),
        ({(counts.PAGES, "/blog"): 30}, Level.NOTE, "/blog"),
        ({(counts.EVENTS, "purchase", "server"): 0}, Level.WARNING, "no purchases"),
    ],
)
def test_each_kind_of_trouble_is_found_with_its_remedy(changes: dict[Name, int], level: Level, words: str) -> None:
    samples = {name: [SAMPLE] for name in changes}
    (finding,) = report_of(changes, samples=samples).findings
    assert finding.level is level
    assert words in finding.title
    assert len(finding.remedy) > 20
    if changes.keys() & {(counts.REFUSED, "params.value", "invalid_event")}:
        assert "send the value itself" in finding.detail


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (CatalogueUse(n_items=0, n_seen=0, known=0, unknown=500), "no catalogue"),
        (CatalogueUse(n_items=9, n_seen=9, known=500, unknown=500, unknown_examples=(("X-1", 400),)), "no feed has"),
        (CatalogueUse(n_items=100, n_seen=10, known=5_000, unknown=0), "no event in seven days"),
    ],
)
def test_feed_and_events_are_compared(use: CatalogueUse, words: str) -> None:
    (finding,) = report_of({}, use=use).findings
    assert words in finding.title
    assert ("X-1" in finding.detail) == bool(use.unknown_examples)


def test_silence_is_told_from_a_shop_that_never_began() -> None:
    silent = make_report(QualityCountsRead(day=Counter(), month=Counter(TIDY), samples={}), site="shop", currency="EUR")
    never = make_report(QualityCountsRead(day=Counter(), month=Counter(), samples={}), site="shop", currency="EUR")
    assert [(one.level, one.title) for one in silent.findings] == [(Level.FAULT, "No events in the last 24 hours")]
    assert [(one.level, one.title) for one in never.findings] == [(Level.NOTE, "No events in 30 days")]


_NAMES = st.sampled_from([*sorted(TIDY), (counts.MENDED, "price", "reread"), (counts.ORDERS_AGAIN, "count")])


@given(st.dictionaries(_NAMES, st.integers(1, 10**9)))
def test_any_counts_make_a_report_whose_totals_add_up(found: dict[Name, int]) -> None:
    read = QualityCountsRead(day=Counter(), month=Counter(found), samples={})
    report = make_report(read, site="shop", currency="EUR", catalogue=USED)
    assert report.total("events").month == sum(n for name, n in found.items() if name[0] == counts.EVENTS)
    levels = [list(Level).index(one.level) for one in report.findings]
    assert levels == sorted(levels)


def test_ids_too_many_to_be_told_apart_are_said() -> None:
    use = CatalogueUse(n_items=100, n_seen=90, known=100_000, unknown=1_000, not_told_apart=900)

    (finding,) = report_of({}, use=use).findings

    assert "900 events" in finding.detail
    assert "makes ids up" in finding.remedy


def test_a_process_whose_clock_is_off_is_named_with_what_to_do() -> None:
    clocks = [WrongClock("web-2:71", 7_200_000, 1), WrongClock("web-1:70", -600_000, 1)]
    read = QualityCountsRead(day=Counter(), month=Counter(), samples={})
    found = make_report(read, site="shop", currency="EUR", wrong_clocks=clocks).findings
    assert [one.title for one in found if one.level is Level.FAULT] == [
        "The clock of web-2:71 is 120 min ahead",
        "The clock of web-1:70 is 10 min behind",
    ]
    assert all("NTP" in one.remedy for one in found if one.level is Level.FAULT)
