"""System checks of recommending: the runtime that scores is the one we asked for."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from recommendations.inference import check_runtime


@register()
def onnxruntime_is_the_gpu_build(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse to start when plain ``onnxruntime`` lies over the GPU build: the GPU would stay idle, silently."""
    return [Error(problem.message, hint=problem.hint, id="recommendations.E001") for problem in check_runtime()]
