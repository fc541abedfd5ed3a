from __future__ import annotations

from dataclasses import replace

from recommendations.training.report import TABLE_COLUMNS, plots, table_rows
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set

SETTINGS = TrainingSettings(factors=8, als_iterations=2, trees=5, min_queries=20, tuning_queries=50, num_threads=1)


def test_every_predictor_has_a_row_and_plots_are_pictures(aisles):
    fitted = train_model_set(aisles, settings=replace(SETTINGS, refit=False))
    unmeasured = train_model_set(aisles, settings=replace(SETTINGS, held_out=0.0))

    rows = table_rows(fitted.metrics)

    assert {"popularity", "last viewed", "sessions", "walk", "fusion", "ranker"} <= {row[0] for row in rows}
    assert all(len(row) == len(TABLE_COLUMNS) + 1 for row in rows)
    assert {"quality.png", "session_length.png"} <= set(plots(fitted))
    assert list(plots(unmeasured)) == ["ranker_columns.png"]
    for png in (*plots(fitted).values(), *plots(unmeasured).values()):
        assert png.startswith(b"\x89PNG")
