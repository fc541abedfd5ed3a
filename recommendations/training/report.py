"""What a training run leaves for people to look at: a table and plots."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import lightgbm
from matplotlib.figure import Figure

from recommendations.training.fitted import FittedModelSet, LearntObjective

TABLE_COLUMNS = (
    "hr@10",
    "hr@20",
    "mrr@10",
    "mrr@20",
    "ndcg@10",
    "ndcg@20",
    "new_hr@20",
    "coverage@20",
    "popularity_share@20",
    "repeat_share@20",
)
COMPARED = ("popularity", "last viewed", "fusion", "ranker", "live")
IMPORTANT_COLUMNS = 15


def table_rows(metrics: Mapping[str, Mapping[str, float]]) -> list[tuple[str, ...]]:
    """Return one row a predictor: its name and ``TABLE_COLUMNS`` with three decimals."""
    return [(name, *(f"{values[column]:.3f}" for column in TABLE_COLUMNS)) for name, values in metrics.items()]


def part_rows(metrics: Mapping[str, Mapping[str, float]]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return the predictors of ``COMPARED`` that were measured, and a row a part of the points with their HR@20."""
    start = "hr@20|"
    names = [name for name in COMPARED if name in metrics]
    parts = dict.fromkeys(
        key.removeprefix(start) for values in metrics.values() for key in values if key.startswith(start)
    )
    rows = []
    for part in parts:
        points = next((values[f"points|{part}"] for values in metrics.values() if f"points|{part}" in values), 0.0)
        found = (metrics[name].get(start + part) for name in names)
        kind, _, value = part.partition("=")
        title = f"{value} items so far" if kind == "length" else value
        rows.append((title, f"{points:,.0f}", *("-" if value is None else f"{value:.3f}" for value in found)))
    return names, rows


def plots(fitted: FittedModelSet) -> dict[str, bytes]:
    """Return PNG files by name: quality by predictor and by session length, and what the ranker looks at."""
    made = {}
    if fitted.metrics:
        made["quality.png"] = _quality(fitted.metrics)
        made["session_length.png"] = _by_length(fitted.metrics)
        names, parts = part_rows(fitted.metrics)
        segments = [row for row in parts if not row[0].endswith("items so far")]
        if segments:
            made["segments.png"] = _by_segment(names, segments)
    if fitted.ranker is not None:
        made["ranker_columns.png"] = _importance(fitted.ranker.booster_text)
        measured = {name: each for name, each in fitted.ranker.objectives.items() if each.reliability}
        if measured:
            made["reliability.png"] = _reliability(measured)
    return made


def _quality(metrics: Mapping[str, Mapping[str, float]]) -> bytes:
    names = list(metrics)
    figure = Figure(figsize=(8, 0.4 * len(names) + 1.2), layout="constrained")
    axes = figure.subplots()
    for offset, metric in enumerate(("new_hr@20", "mrr@20", "hr@20")):
        axes.barh(
            [row + 0.25 * offset for row in range(len(names))], [metrics[n][metric] for n in names], 0.25, label=metric
        )
    axes.set_yticks([row + 0.25 for row in range(len(names))], names)
    axes.invert_yaxis()
    axes.set_title("Held-out time, next item over the full catalogue")
    axes.legend(loc="upper right")  # the baselines stand first, and their bars are short
    return _png(figure)


def _by_length(metrics: Mapping[str, Mapping[str, float]]) -> bytes:
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for name in ("popularity", "last viewed", "sessions", "fusion", "ranker", "live"):
        bands = {
            key.partition("=")[2]: value
            for key, value in metrics.get(name, {}).items()
            if key.startswith("hr@20|length=")
        }
        if bands:
            axes.plot(list(bands), list(bands.values()), marker="o", label=name)
    axes.set_xlabel("items in the session so far")
    axes.set_ylabel("HR@20")
    axes.legend()
    return _png(figure)


def _by_segment(names: Sequence[str], rows: Sequence[tuple[str, ...]]) -> bytes:
    figure = Figure(figsize=(8, 0.5 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(names)
    for column, name in enumerate(names):
        values = [0.0 if row[2 + column] == "-" else float(row[2 + column]) for row in rows]
        axes.barh([y + height * column for y in range(len(rows))], values, height, label=name)
    axes.set_yticks([y + 0.4 for y in range(len(rows))], [f"{row[0]} ({row[1]})" for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("HR@20 by segment of the user (points)")
    axes.legend()
    return _png(figure)


def _importance(booster_text: str) -> bytes:
    booster = lightgbm.Booster(model_str=booster_text)
    gains = sorted(zip(booster.feature_importance("gain"), booster.feature_name(), strict=True))[-IMPORTANT_COLUMNS:]
    total = sum(gain for gain, _ in gains) or 1.0
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    axes.barh([name for _, name in gains], [gain / total for gain, _ in gains])
    axes.set_title("What the ranker looks at, by gain")
    return _png(figure)


def _reliability(objectives: Mapping[str, LearntObjective]) -> bytes:
    """Draw what was expected beside what came, bin by bin; on the dashed line chances are right.

    Both axes are logarithmic, as most chances are small; a bin in which nothing came stands at the lower edge.
    """
    figure = Figure(figsize=(6, 5.2), layout="constrained")
    axes = figure.subplots()
    shares = [(name, [(b.expected, b.observed) for b in each.reliability]) for name, each in objectives.items()]
    positive = [value for _, pairs in shares for pair in pairs for value in pair if value > 0]
    low, high = (min(positive) / 1.5, max(positive) * 1.5) if positive else (1e-4, 1.0)
    axes.plot([low, high], [low, high], linestyle="--", color="grey", linewidth=1)
    for name, pairs in shares:
        learnt = objectives[name]
        label = f"{name}: error {learnt.error or 0.0:.1g}, rate {learnt.rate or 0.0:.1g}"
        axes.plot(*zip(*((max(x, low), max(y, low)) for x, y in pairs), strict=True), marker="o", label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_xlabel("chance that was given")
    axes.set_ylabel("share of candidates of which it came true")
    axes.set_title("Are chances right? Held-out time")
    axes.legend(loc="upper left")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
