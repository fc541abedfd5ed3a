"""The GPU: whether one is there, whether its libraries load, and what is to be done where one of these is not so.

Every way in which a GPU falls short is a ``Shortfall`` with a remedy. The CPU then answers: it is counted, said once in
the log, and shown by ``/v1/health``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from recommendations.exceptions import ModelUnavailable
from recommendations.inference.runtime import Provider, announce_once, preload_cuda
from recommendations.metrics import GPU_FALLBACKS

Providers = Literal["auto", "cpu", "cuda"]

DRIVER: Final = "libcuda.so.1"
LIBRARIES: Final = ("libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10", "libcudnn.so.9")
"""What the CUDA provider of the pinned ONNX Runtime is linked with, and cuDNN; ``requirements-gpu.txt`` has them."""


class Shortfall(StrEnum):
    """Why the CPU answers where a GPU could."""

    NO_GPU = "no_gpu"
    NO_DRIVER = "no_driver"
    NO_LIBRARIES = "no_libraries"
    NO_SESSION = "no_session"
    NO_GRAPH = "no_graph"
    OTHER_SCORES = "other_scores"
    NO_ANSWER = "no_answer"


REMEDIES: Final = {
    Shortfall.NO_GPU: "no NVIDIA device is visible; give the container one (deploy/compose.gpu.yaml), "
    "or set RECSITE_INFERENCE_PROVIDER=cpu",
    Shortfall.NO_DRIVER: "install an NVIDIA driver for CUDA 13 (580 or later), and in a container the NVIDIA Container "
    "Toolkit with the driver capabilities compute,utility",
    Shortfall.NO_LIBRARIES: "pip install -r requirements-gpu.txt, or use the image's cuda target",
    Shortfall.NO_SESSION: "look at nvidia-smi: the driver may be too old for CUDA 13 or the memory taken; then restart",
    Shortfall.NO_GRAPH: "train again: this version was made without a graph for a GPU",
    Shortfall.OTHER_SCORES: "train again; if it stays so, run python -m benchmarks.gpu_check and look at the device",
    Shortfall.NO_ANSWER: "look at nvidia-smi and dmesg; the device is asked again by itself",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuShortfall:
    """One reason with what was found; ``remedy`` says what to do."""

    reason: Shortfall
    detail: str = ""

    @property
    def remedy(self) -> str:
        """What is to be done, in one sentence."""
        return REMEDIES[self.reason]

    def __str__(self) -> str:
        found = f" ({self.detail})" if self.detail else ""
        return f"{self.reason.value}{found}: {self.remedy}"


def count_fallback(shortfall: GpuShortfall) -> GpuShortfall:
    """Count that the CPU takes a GPU's place, and say so once a reason and process; returns what it was given."""
    GPU_FALLBACKS.labels(shortfall.reason.value).inc()
    announce_once(
        f"provider:{shortfall.reason}",
        "inference.provider provider=cpu reason=%s detail=%r remedy=%r",
        shortfall.reason.value, shortfall.detail, shortfall.remedy,
    )  # fmt: skip
    return shortfall


class Device:
    """Where the dense scoring of one version is to run, and what the GPU falls short of, if it does.

    Attributes
    ----------
    provider : "cpu" or "cuda"
        What to try.
    shortfall : GpuShortfall, optional
        Set where the GPU was wanted and is not used; the last reason found.
    """

    def __init__(self, providers: Providers) -> None:
        self.shortfall: GpuShortfall | None = None
        self.provider: Provider = "cpu"
        if providers == "cpu":
            return
        missing = missing_part()
        if missing is None:
            self.provider = "cuda"
        else:
            self.fall_back(missing)

    def fall_back(self, shortfall: GpuShortfall) -> None:
        """Leave the GPU alone for this version."""
        self.provider = "cpu"
        self.shortfall = count_fallback(shortfall)


def missing_part() -> GpuShortfall | None:
    """Load the libraries of CUDA into this process and return what of a GPU is missing; None when all is there.

    That CUDA works then, only a session says.
    """
    if not gpu_is_present():
        return GpuShortfall(reason=Shortfall.NO_GPU)
    said = preload_cuda()
    if not _loads(DRIVER):
        return GpuShortfall(reason=Shortfall.NO_DRIVER, detail=f"{DRIVER} cannot be loaded")
    if missing := missing_libraries():
        found = f"{', '.join(missing)} cannot be loaded" + (f"; {said}" if said else "")
        return GpuShortfall(reason=Shortfall.NO_LIBRARIES, detail=found)
    return None


def missing_libraries() -> list[str]:
    """Return which of ``LIBRARIES`` this process cannot load, in their order."""
    return [name for name in LIBRARIES if not _loads(name)]


def gpu_is_present() -> bool:
    """Return whether a driver shows an NVIDIA GPU; that it works, only a session's providers can tell."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def insist(device: Device, ran_on: Provider) -> None:
    """Raise ``ModelUnavailable`` with reason and remedy: CUDA was asked for by name and ``ran_on`` is another."""
    if ran_on != "cuda":
        raise ModelUnavailable(f"providers='cuda', but CUDA does not work here: {device.shortfall}; or use 'auto'")


def _loads(name: str, *, load: Callable[[str], object] = ctypes.CDLL) -> bool:
    try:
        load(name)
    except OSError:
        return False
    return True
