"""A small trained version of each release, kept so that later releases can be held to answering with it.

``python -m tests.recommendations.versions.kept`` trains one with the release that is checked out and writes
``kept/{release}.zip``; run it once before a release is tagged, and never again for that release.
"""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import Final

import numpy as np

from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.training.data.building import log_from_sessions
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set

FOLDER: Final = Path(__file__).with_name("kept")
RELEASES: Final = tuple(sorted(path.stem for path in FOLDER.glob("*.zip")))
SETTINGS: Final = TrainingSettings(
    factors=8, als_iterations=2, trees=20, min_queries=50, tuning_queries=60, num_threads=1
)
AISLES, ITEMS_PER_AISLE = 6, 10


def this_release() -> str:
    """Return the version that ``pyproject.toml`` says."""
    project = Path(__file__).resolve().parents[3] / "pyproject.toml"
    return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


def walks(n: int, *, seed: int = 5) -> list[list[str]]:
    """Return sessions of users who walk an aisle; half of them go back to their first item on every third step.

    What goes back is what a ranker learns beyond the fusion of its sources, so that the version comes with one.
    """
    rng = np.random.default_rng(seed)
    sessions = []
    for _ in range(n):
        aisle, start = int(rng.integers(AISLES)), int(rng.integers(ITEMS_PER_AISLE))
        returns = rng.random() < 0.5
        session = []
        for step in range(int(rng.integers(3, 9))):
            if returns and step and step % 3 == 2:
                at = start
            elif rng.random() < 0.2:
                at = int(rng.integers(ITEMS_PER_AISLE))
            else:
                at = (start + step) % ITEMS_PER_AISLE
            session.append(f"aisle{aisle}-item{at}")
        sessions.append(session)
    return sessions


def unpacked(release: str, folder: Path) -> Path:
    """Unpack the version that a release has trained below a folder, and return its own."""
    shutil.unpack_archive(FOLDER / f"{release}.zip", folder / release)
    return folder / release


def main() -> None:
    """Train a version with this release and keep it."""
    fitted = train_model_set(log_from_sessions(walks(1500)), settings=SETTINGS, catalogue=["unsold"])
    with tempfile.TemporaryDirectory() as scratch:
        export_model_set(fitted, Path(scratch) / "version", targets=frozenset({Target.CPU}))
        kept = shutil.make_archive(str(FOLDER / this_release()), "zip", Path(scratch) / "version")
    print(f"{kept}: commit it with the release")


if __name__ == "__main__":
    main()
