"""The command: a user's copy of a data set in its windows, under its own names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as runner
from benchmarks import quality
from benchmarks.quality import reading
from benchmarks.report import NotHere
from recommendations.training.settings import TrainingSettings


@pytest.fixture(autouse=True)
def kept_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is read in the test's own folder."""
    monkeypatch.setattr(reading, "gettempdir", lambda: str(tmp_path))


def a_shop(path: Path) -> Path:
    """Write 60 days of RetailRocket's form: visitors who walk through a ring of 30 items, 25 of them a day."""
    chance = np.random.default_rng(8)
    lines = []
    for day in range(60):
        for visitor in range(25):
            first, at_ms = int(chance.integers(30)), 1_430_622_000_000 + (day * 86_400 + visitor * 600) * 1000
            for step in range(4):
                lines.append(f"{at_ms + step * 1000},{day * 100 + visitor},view,{(first + step) % 30},")
    path.write_text("timestamp,visitorid,event,itemid,transactionid\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.slow
def test_a_copy_of_a_data_set_is_measured_in_its_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    events, figures = a_shop(tmp_path / "events.csv"), tmp_path / "figures.jsonl"
    small = TrainingSettings(refit=False, factors=8, als_iterations=2, trees=10, tuning_queries=200, min_queries=50)
    monkeypatch.setattr(quality, "FULL", small)

    status = runner.main(["quality", "--data", f"retailrocket={events}", "--windows", "1", "--json", str(figures)])

    said = capsys.readouterr()
    assert status == 0, said.err
    assert "1 of 2 windows of 25 + 2 days (Ludewig et al., UMUAI 2021); 625 sessions train, 50 test" in said.out
    assert "1,500 sessions read, 1,500 of 30 items kept" in said.out
    measured = json.loads(figures.read_text())["figures"]
    assert measured["retailrocket_test_points"] == 150
    assert measured["retailrocket_hr20"] > 0.95
    assert measured["retailrocket_vmisknn_mrr20"] > measured["retailrocket_popularity_mrr20"]
    assert 0 <= measured["retailrocket_hr20_se"] < 0.05


def test_a_part_of_a_data_set_that_no_window_fits_into_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    lines = [f"{1_430_622_000_000 + n},{n // 2},view,{n % 2}," for n in range(40)]
    path.write_text("timestamp,visitorid,event,itemid,transactionid\n" + "\n".join(lines) + "\n")

    with pytest.raises(NotHere, match="its 20 sessions hold no window of 25 days and the 2 after them"):
        quality.run(quick=True, data=[f"retailrocket={path}"])


@pytest.mark.parametrize("options", [{"seeds": 0}, {"windows": 0}])
def test_no_seed_or_window_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(NotHere, match="give whole numbers above 0"):
        quality.run(quick=True, data=["sessions=x"], **options)  # type: ignore[arg-type]  # integers, by name


@pytest.mark.slow
def test_without_the_files_made_up_shoppers_are_measured_under_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def measured(data: str, *_: object, **__: object) -> dict[str, float]:
        asked.append(data)
        return {}

    monkeypatch.setattr(quality, "DATA", tmp_path)
    monkeypatch.setattr(quality, "_last_tenth", measured)

    assert quality.run(quick=True) == {}
    assert asked == ["made"]
    assert "the figures compare with nothing" in capsys.readouterr().out
