"""An SQLite database with all migrations, made once for a state of the code and copied: making one takes 8 s of CPU."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
APPS: Final = ("tracking", "features", "recommendations", "recsite")
NAME: Final = "recsite.sqlite3"


def put_migrated(data: Path) -> Path:
    """Put a database into a data folder, as ``manage.py migrate`` makes it there; return its path."""
    shutil.copyfile(_template(), data / NAME)
    return data / NAME


@functools.cache
def _template() -> Path:
    folder = Path(tempfile.gettempdir()) / f"recsite-tests-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    made = folder / f"{_state_of_code()}.sqlite3"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other process of this run wants the same one
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=folder) as data:
                environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
                environment |= {"RECSITE_DATA_DIR": data, "RECSITE_SECRET_KEY": "only-for-tests-" + "x" * 50}
                command = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
                subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=300)
                (Path(data) / NAME).replace(made)
    return made


def _state_of_code() -> str:
    """Return a name for the code that decides what migrations make: all of ours, and the versions of the rest."""
    digest = hashlib.sha256(sys.version.encode())
    for path in [ROOT / "requirements.lock", *sorted(path for app in APPS for path in (ROOT / app).rglob("*.py"))]:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:24]
