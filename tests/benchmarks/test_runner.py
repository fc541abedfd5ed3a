"""The command that runs benchmarks: names, messages, and the line that machines read."""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import __main__ as runner
from benchmarks import gpu
from benchmarks.report import figures_line, machine
from recommendations.inference import device

COMPARED = {
    "model": {"overlap_at_20", "time_ratio_to_implicit_100k", "time_ratio_to_faiss_100k", "floor_ratio_1m"},
    "serve": {
        *("requests_per_s", "p50_ms", "p90_ms", "p99_ms", "cpu_ms_per_request", "ratio_to_plain_asgi"),
        *("uncached_cpu_ms", "uncached_requests_per_s", "uncached_ratio_to_plain_asgi"),
        *("web_rss_mb", "installation_pss_mb", "first_list_s"),
    },
    "collect": {"events_per_cpu_s_kafka", "events_per_cpu_s_redis", "p99_ms", "ratio_to_plain_asgi"},
    "stream": {
        *("events_per_s_kafka", "events_per_s_redis", "lost", "doubled", "bytes_per_user", "read_ratio_to_feast"),
    },
    "live": {"p50_ms", "p99_ms"},
    "quality": {"rr_hr20", "rr_mrr20", "rr_new_hr20", "rr_coverage"},
    "page": {
        *("sequences", "violations", "cls_max_390", "cls_max_1280", "requests_per_page", "sockets_per_page"),
        *("bytes_per_page", "nodes_after_100_mounts", "frameworks_passed", "frameworks"),
    },
    "sdk": {"tracker_gzip_bytes", "widget_gzip_bytes", "both_gzip_bytes", "delivered_on_navigation"},
}
"""What others compare versions by; written down here a second time, so that no name is changed in passing."""


def put(monkeypatch: pytest.MonkeyPatch, name: str, figures: dict[str, float]) -> list[bool]:
    """Stand a module in for a benchmark, to see what the runner does with it."""
    asked: list[bool] = []

    def run(*, quick: bool) -> dict[str, float]:
        asked.append(quick)
        return figures

    module = ModuleType(f"benchmarks.{name}")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(runner.importlib, "import_module", lambda _: module)
    return asked


def test_an_unknown_name_is_answered_with_the_names_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["speed"]) == 2
    assert "unknown benchmark 'speed'; there are: model, serve" in capsys.readouterr().err


def test_figures_go_to_the_file_one_object_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = put(monkeypatch, "model", {**dict.fromkeys(COMPARED["model"], 1.0), "time_ratio": 0.123456789})
    target = tmp_path / "figures.jsonl"
    assert runner.main(["model", "model", "--quick", "--json", str(target)]) == 0
    assert asked == [True, True]
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert [line["benchmark"] for line in lines] == ["model", "model"]
    assert lines[0]["figures"]["overlap_at_20"] == 1.0
    assert lines[0]["figures"]["time_ratio"] == 0.123457
    assert lines[0]["machine"]["cores"] >= 1


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in COMPARED.items() for key in sorted(keys)])
def test_a_run_without_a_figure_that_versions_are_compared_by_has_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, key: str
) -> None:
    whole = dict.fromkeys(COMPARED[name], 1.0)
    target = tmp_path / "figures.jsonl"
    put(monkeypatch, name, whole)
    assert runner.main([name, "--json", str(target)]) == 0
    put(monkeypatch, name, {other: value for other, value in whole.items() if other != key})

    assert runner.main([name, "--json", str(target)]) == 1

    assert f"{name}: the run gave no {key}: nothing can be compared by it" in capsys.readouterr().err
    assert len(target.read_text().splitlines()) == 2, "what a long run did measure is kept"


def test_a_benchmark_that_is_not_there_is_named_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda _: None)
    assert runner.main(["live"]) == 1
    assert "benchmarks/live.py does not exist" in capsys.readouterr().err


def test_a_missing_peer_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(_: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'faiss'")

    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(runner.importlib, "import_module", missing)
    assert runner.main(["model"]) == 1
    assert "No module named 'faiss'; pip install -r requirements-bench.txt" in capsys.readouterr().err


def test_a_figure_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="ratio=nan is not a finite number"):
        figures_line("model", {"ratio": float("nan")})


def test_the_machine_is_described_without_its_name() -> None:
    assert platform.node() not in json.dumps(machine())


def test_what_the_sdk_benchmark_reads_from_its_environment_is_documented() -> None:
    root = Path(__file__).resolve().parents[2]
    read = set(re.findall(r"process\.env\.([A-Z_]+)", (root / "sdk/bench/run.mjs").read_text())) - {"NODE_ENV"}

    assert read == {name for name in read if f"`{name}`" in (root / "docs/sdk.md").read_text()} != set()


@pytest.mark.parametrize("name", ["model", "serve"])
def test_without_a_gpu_its_benchmarks_say_so_in_one_sentence_and_end_with_a_status_of_their_own(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(device, "gpu_is_present", lambda: False)
    assert runner.main([name, "--gpu", "--quick"]) == runner.NOT_HERE == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"{name}: no GPU was measured, no_gpu: no NVIDIA device is visible")
    assert said.err.count("\n") == 1


def test_what_is_measured_on_a_gpu_is_measured_here_on_the_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    """The same code on the provider that is here: both graphs must then name the same items."""
    figures = gpu.measured({"small": (2_000, 16)}, provider="cpu", rounds=3)
    assert figures["gpu_overlap_small"] > 0.99
    for size in (1, 8, 32, 128):
        lists_per_s = figures[f"gpu_batch_{size}_lists_per_s_small"]
        assert lists_per_s == pytest.approx(size * 1e3 / figures[f"gpu_batch_{size}_ms_small"])
    assert figures["gpu_floor_ms_small"] > 0
