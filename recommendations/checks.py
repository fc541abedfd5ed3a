"""System checks of recommending: the runtime that scores is the one we asked for."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register

from recommendations.inference import check_runtime
from recommendations.retrieval.sources import REFUSED


@register()
def onnxruntime_is_the_gpu_build(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse to start when plain ``onnxruntime`` lies over the GPU build: the GPU would stay idle, silently."""
    return [Error(problem.message, hint=problem.hint, id="recommendations.E001") for problem in check_runtime()]


@register()
def installed_sources_are_sources(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Name candidate sources of installed packages that cannot be used; lists are made without them."""
    return [
        Warning(
            f"the candidate source {each.name!r} of the package {each.package} is not used: {each.problem}",
            hint="docs/extending.md says what a source is; mend the package or uninstall it",
            id="recommendations.W001",
        )
        for each in REFUSED
    ]
