"""Plain onnxruntime over the GPU build is noticed at start-up, since nothing else notices it."""

from __future__ import annotations

from importlib import metadata

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


def test_a_build_without_cuda_under_the_name_of_the_gpu_build_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
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
