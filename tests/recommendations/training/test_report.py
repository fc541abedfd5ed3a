from __future__ import annotations

from dataclasses import replace

import pytest

from recommendations.training.fitted import LearntObjective, ReliabilityBin
from recommendations.training.report import TABLE_COLUMNS, part_rows, plots, table_rows
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set
from tests.recommendations.model_worlds import fitted_model_set

SETTINGS = TrainingSettings(factors=8, als_iterations=2, trees=5, min_queries=20, tuning_queries=50, num_threads=1)


@pytest.mark.slow
def test_every_predictor_has_a_row_and_plots_are_pictures(aisles):
    fitted = train_model_set(aisles, settings=replace(SETTINGS, refit=False))
    unmeasured = train_model_set(aisles, settings=replace(SETTINGS, held_out=0.0))

    rows = table_rows(fitted.metrics)

    assert {"popularity", "last viewed", "sessions", "walk", "fusion", "ranker"} <= {row[0] for row in rows}
    assert all(len(row) == len(TABLE_COLUMNS) + 1 for row in rows)
    assert {"quality.png", "session_length.png"} <= set(plots(fitted))
    assert list(plots(unmeasured)) == ["ranker_columns.png"]
    split = {name: {**values, "hr@20|segment=loyal": 0.5} for name, values in fitted.metrics.items()}
    assert "segments.png" in plots(replace(fitted, metrics=split))
    for png in (*plots(fitted).values(), *plots(unmeasured).values()):
        assert png.startswith(b"\x89PNG")


@pytest.mark.slow
def test_chances_that_were_measured_are_drawn_beside_what_came_of_them():
    fitted = fitted_model_set(n_items=20)
    bins = (
        ReliabilityBin(candidates=900, expected=0.001, observed=0.0),
        ReliabilityBin(candidates=30, expected=0.04, observed=0.05),
    )
    learnt = LearntObjective(booster_text=None, positives=9, reliability=bins, error=0.001, rate=0.003)

    drawn = plots(replace(fitted, metrics={}, ranker=replace(fitted.ranker, objectives={"click": learnt})))
    other = replace(learnt, reliability=(replace(bins[0], observed=0.9), bins[1]))
    redrawn = plots(replace(fitted, metrics={}, ranker=replace(fitted.ranker, objectives={"click": other})))

    assert drawn["reliability.png"].startswith(b"\x89PNG")
    assert drawn["reliability.png"] != redrawn["reliability.png"]
    assert "reliability.png" not in plots(replace(fitted, metrics={}))


def test_parts_of_the_points_are_rows_with_their_points_and_predictors_beside_each_other():
    one = {"points|length=1": 40.0, "hr@20|length=1": 0.5, "points|segment=loyal": 2.0, "hr@20|segment=loyal": 1.0}

    names, rows = part_rows({"ranker": one, "walk": one, "popularity": {"hr@20|length=1": 0.25}})

    assert names == ["popularity", "ranker"]
    assert rows == [("1 items so far", "40", "0.250", "0.500"), ("loyal", "2", "-", "1.000")]
    assert part_rows({}) == ([], [])
