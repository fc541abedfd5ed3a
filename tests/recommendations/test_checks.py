"""Plain onnxruntime over the GPU build is noticed at start-up, since nothing else notices it."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import onnxruntime
import pytest
from django.core.checks.registry import registry

from recommendations.checks import onnxruntime_is_the_gpu_build
from recommendations.inference import check_runtime


def errors() -> list[str]:
    return [str(message.msg) for message in onnxruntime_is_the_gpu_build(None)]


def test_the_installed_runtime_passes() -> None:
    assert check_runtime() == []
    assert errors() == []


def test_django_runs_the_check() -> None:
    assert onnxruntime_is_the_gpu_build in registry.registered_checks


def test_plain_onnxruntime_beside_the_gpu_build_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "1.31.1" if name == "onnxruntime" else real(name))
    (message,) = errors()
    assert "'onnxruntime'" in message
    (problem,) = check_runtime()
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in problem.hint


def test_a_build_without_cuda_under_the_name_of_the_gpu_build_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = Path(onnxruntime.__file__).parent / "capi" / "build_and_package_info.py"
    assert ("CUDAExecutionProvider" in onnxruntime.get_available_providers()) == ("-gpu" in there.read_text())
    for name in ("onnxruntime/__init__.py", "onnxruntime/capi/build_and_package_info.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("package_name = 'onnxruntime'\n")
    monkeypatch.delitem(sys.modules, "onnxruntime")
    monkeypatch.syspath_prepend(tmp_path)
    (message,) = errors()
    assert "without CUDA" in message


def test_a_missing_gpu_build_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "onnxruntime-gpu":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    (message,) = errors()
    assert "is not installed" in message
