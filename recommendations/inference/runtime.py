"""ONNX Runtime itself: sessions, the provider that really runs, and whether the right package is installed.

Nothing else in the project imports onnxruntime.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from recommendations.exceptions import ModelUnavailable
from tracking.deferred import deferred

if TYPE_CHECKING:
    import onnxruntime as ort
else:
    ort = deferred("onnxruntime")

logger = logging.getLogger(__name__)

Provider = Literal["cpu", "cuda"]
Feeds = Mapping[str, NDArray[Any]]

CPU_PROVIDER = "CPUExecutionProvider"
CUDA_PROVIDER = "CUDAExecutionProvider"
GPU_PACKAGE = "onnxruntime-gpu"
CPU_PACKAGE = "onnxruntime"

_QUIET = 4  # fatal only: a missing GPU is a normal state, and we say so once, in our own words
_announced: set[str] = set()
_announce_lock = threading.Lock()


class GraphSession:
    """One loaded graph. ``run`` is thread-safe and releases the GIL while it computes."""

    def __init__(self, session: Any, *, path: str) -> None:
        self._session = session
        self._path = path
        self.provider: Provider = "cuda" if session.get_providers()[0] == CUDA_PROVIDER else "cpu"
        self.input_shapes: dict[str, list[int | str]] = {v.name: v.shape for v in session.get_inputs()}
        self.input_types: dict[str, str] = {v.name: v.type for v in session.get_inputs()}
        self.output_shapes: dict[str, list[int | str]] = {v.name: v.shape for v in session.get_outputs()}
        self._output_names = list(self.output_shapes)  # asked for none, the runtime lists them at each run

    def run(self, feeds: Feeds) -> list[NDArray[Any]]:
        """Return every output for one set of inputs.

        Raises
        ------
        ModelUnavailable
            ONNX Runtime failed; its message is kept.
        """
        try:
            outputs: list[NDArray[Any]] = self._session.run(self._output_names, feeds)
        except Exception as error:  # ONNX Runtime raises bare classes made in C++, without a common base
            raise ModelUnavailable(f"{self._path} failed while running: {error}") from error
        return outputs

    def new_binding(self) -> Any:
        """Return an empty binding of inputs and outputs to addresses."""
        return self._session.io_binding()

    def run_bound(self, binding: Any, options: Any) -> None:
        """Run with bound inputs and outputs.

        Raises
        ------
        ModelUnavailable
            ONNX Runtime failed; its message is kept.
        """
        try:
            self._session.run_with_iobinding(binding, options)
        except Exception as error:  # as above: no common base class
            raise ModelUnavailable(f"{self._path} failed while running: {error}") from error


def load_session(path: Path, *, provider: Provider = "cpu") -> GraphSession:
    """Load one graph for one thread a run; parallelism is over requests, not inside them.

    Spinning is off: pools that spin on busy cores multiply p95 by ten (benchmarks/model.py).

    Raises
    ------
    ModelUnavailable
        The file is missing or no valid graph. A missing GPU does not raise: see ``GraphSession.provider``.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Prepacking copies every weight and made float32 scoring slower; MatMulNBits still packs its own codes.
    providers: list[Any] = [CPU_PROVIDER]
    if provider == "cuda":
        providers = [(CUDA_PROVIDER, {"enable_cuda_graph": "1"}), CPU_PROVIDER]
    try:
        with _QuietRuntime():
            session = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # as above: no common base class
        raise ModelUnavailable(f"{path} cannot be loaded: {error}") from error
    return GraphSession(session, path=str(path))


class DeviceArray:
    """An array at a fixed address of the device, updated in place; CUDA graphs replay addresses, not values."""

    def __init__(self, values: NDArray[Any], *, provider: Provider) -> None:
        self.value = ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(values), provider, 0)

    def update(self, values: NDArray[Any]) -> None:
        """Copy new values of the same shape and dtype to the device."""
        self.value.update_inplace(np.ascontiguousarray(values))


class BoundRun:
    """One graph with inputs and outputs at fixed addresses and of fixed shapes; not thread-safe.

    On CUDA the first run is captured as a CUDA graph and later runs replay it: one launch instead of one for each
    operator. ``graph_id`` keeps the graphs of different shapes apart.
    """

    def __init__(
        self,
        session: GraphSession,
        inputs: Mapping[str, DeviceArray],
        outputs: Mapping[str, tuple[tuple[int, ...], type[np.generic]]],
        *,
        graph_id: int,
    ) -> None:
        self._session = session
        self._inputs = inputs  # kept alive: the binding only knows addresses
        self._outputs = {
            name: ort.OrtValue.ortvalue_from_shape_and_type(list(shape), dtype, session.provider, 0)
            for name, (shape, dtype) in outputs.items()
        }
        self._binding = session.new_binding()
        for name, array in inputs.items():
            self._binding.bind_ortvalue_input(name, array.value)
        for name, value in self._outputs.items():
            self._binding.bind_ortvalue_output(name, value)
        self._options = ort.RunOptions()
        self._options.add_run_config_entry("gpu_graph_id", str(graph_id))

    def run(self) -> dict[str, NDArray[Any]]:
        """Run once and copy the outputs back.

        Raises
        ------
        ModelUnavailable
            ONNX Runtime failed.
        """
        self._session.run_bound(self._binding, self._options)
        # A copy also where the device is the CPU: numpy() would be a view that the next run overwrites.
        return {name: np.array(value.numpy()) for name, value in self._outputs.items()}


def operators_by_provider(path: Path, *, provider: Provider = "cuda") -> dict[str, list[str]]:
    """Return which operators of a graph each provider runs, from the runtime's own profile of one load.

    For checks, not for serving: the profile is written to a file and the session thrown away.
    """
    options = ort.SessionOptions()
    options.log_severity_level = _QUIET
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        providers = [CUDA_PROVIDER, CPU_PROVIDER] if provider == "cuda" else [CPU_PROVIDER]
        session = ort.InferenceSession(str(path), options, providers=providers)
        feeds = {
            value.name: np.zeros(
                [1 if isinstance(size, str) else size for size in value.shape],
                np.float32 if "float" in value.type else np.int64,
            )
            for value in session.get_inputs()
        }
        session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    placed: dict[str, list[str]] = {}
    for event in events:
        arguments = event.get("args", {})
        if event.get("cat") == "Node" and "provider" in arguments:
            placed.setdefault(arguments["provider"], []).append(arguments.get("op_name", "?"))
    return placed


def preload_cuda() -> str:
    """Load CUDA and cuDNN from the installed packages, or from the system; returns what the runtime complained of.

    Once a process, before its first session: the runtime's own library finds them by name only when they are loaded.
    """
    said = io.StringIO()
    with contextlib.redirect_stdout(said):  # it prints what it cannot load
        try:
            ort.preload_dlls()
        except (OSError, RuntimeError) as error:
            said.write(str(error))
    return " ".join(said.getvalue().split())


def announce_once(key: str, message: str, *arguments: object) -> None:
    """Log ``message`` the first time only: a worker that loads a version every night must not repeat it."""
    with _announce_lock:
        if key in _announced:
            return
        _announced.add(key)
    logger.info(message, *arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeProblem:
    """What is wrong with the installed runtime, and what to do."""

    message: str
    hint: str


def check_runtime() -> list[RuntimeProblem]:
    """Say whether plain ``onnxruntime`` lies over the GPU build, which ``pip check`` does not notice.

    Returns an empty list when all is well; that there is no GPU is well.
    """
    remedy = f"pip uninstall -y {CPU_PACKAGE} {GPU_PACKAGE} && pip install -r requirements.txt"
    problems = []
    if _installed_version(CPU_PACKAGE) is not None:
        problems.append(
            RuntimeProblem(
                message=f"the package {CPU_PACKAGE!r} is installed and overwrites files of {GPU_PACKAGE!r}",
                hint=remedy,
            )
        )
    if _installed_version(GPU_PACKAGE) is None:
        problems.append(RuntimeProblem(message=f"the package {GPU_PACKAGE!r} is not installed", hint=remedy))
    elif not _files_are_of_the_gpu_build():
        problems.append(
            RuntimeProblem(
                message=f"the files of {GPU_PACKAGE!r} have been replaced by a build without CUDA",
                hint=remedy,
            )
        )
    return problems


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return ``values`` as contiguous float32, without a copy where they are."""
    return np.ascontiguousarray(values, np.float32)


class _QuietRuntime:
    """Silence ONNX Runtime's own lines while it tries providers, then restore them."""

    def __enter__(self) -> None:
        ort.set_default_logger_severity(_QUIET)

    def __exit__(self, *_: object) -> None:
        ort.set_default_logger_severity(2)


def _files_are_of_the_gpu_build() -> bool:
    """Return whether the build whose files lie there says that it is the GPU's, without loading it."""
    spec = find_spec("onnxruntime")
    folders = [] if spec is None else spec.submodule_search_locations or []
    said = (Path(folder) / "capi" / "build_and_package_info.py" for folder in folders)
    return any(GPU_PACKAGE in path.read_text() for path in said if path.exists())


def _installed_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
