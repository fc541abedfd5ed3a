"""What a GPU falls short of: each reason has a remedy, and the libraries asked for are those that are needed."""

from __future__ import annotations

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from recommendations.inference import device


def test_every_shortfall_has_a_remedy() -> None:
    assert set(device.REMEDIES) == set(device.Shortfall)


def test_the_libraries_asked_for_are_those_that_the_runtime_is_linked_with() -> None:
    spec = find_spec("onnxruntime")
    assert spec is not None
    assert spec.submodule_search_locations
    linked = Path(spec.submodule_search_locations[0]) / "capi" / "libonnxruntime_providers_cuda.so"
    said = subprocess.run(["ldd", str(linked)], capture_output=True, text=True, check=True, timeout=60).stdout
    needed = set(re.findall(r"^\s*(lib(?:cu|nv)\S+)", said, re.MULTILINE))
    assert needed
    assert needed <= {device.DRIVER, *device.LIBRARIES}


def test_a_library_that_is_nowhere_does_not_load_and_one_of_this_process_does() -> None:
    assert not device._loads("librecsite-is-nowhere.so.1")
    assert device._loads("libc.so.6")


def test_each_missing_library_is_named_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_loads", lambda name: name == "libcudart.so.13")
    assert device.missing_libraries() == [name for name in device.LIBRARIES if name != "libcudart.so.13"]


def test_what_the_runtime_complains_of_while_it_loads_is_kept_for_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "gpu_is_present", lambda: True)
    monkeypatch.setattr(device, "_loads", lambda name: name == device.DRIVER)
    monkeypatch.setattr(device, "preload_cuda", lambda: "Failed to load libcublas.so.13")
    missing = device.missing_part()
    assert missing is not None
    assert missing.detail.endswith("cannot be loaded; Failed to load libcublas.so.13")
    assert str(missing).startswith("no_libraries (libcudart.so.13, ")
