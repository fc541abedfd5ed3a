"""The README's curl commands, word for word, against a real installation."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.api.conftest import Place
from tests.end_to_end.conftest import ROOT
from tests.services.fixtures import leave_out
from tests.services.process import Missing

pytestmark = [pytest.mark.redis, pytest.mark.slow]


def curl_examples() -> str:
    """Return the shell block of the README that calls the API, without the line that names host and keys."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    [block] = [block for block in blocks if "curl" in block]
    first, rest = block.split("\n", 1)
    assert first.startswith("HOST="), "the reader puts host and keys into the first line"
    return rest


def test_every_command_works_as_it_stands(place: Place, request: pytest.FixtureRequest) -> None:
    if shutil.which("curl") is None:
        leave_out(request.config, Missing("curl", "install Debian's curl"))
    script = curl_examples().replace("\ncurl", "\nprintf '\\n---\\n'; curl")
    done = subprocess.run(
        ["sh", "-eu", "-c", script],
        env={"HOST": place.address, "PK": place.pk, "SK": place.sk, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr + done.stdout
    answers: list[dict[str, Any]] = [json.loads(part) for part in done.stdout.split("\n---\n")[1:]]
    written, collected, lists, public, export, receipt = answers
    assert [written["created"], written["rejected"]] == [2, []]
    assert [collected["accepted"], collected["rejected"]] == [1, []]
    assert [result["placement"] for result in lists["results"]] == ["home_for_you", "product_similar"]
    assert all(result["items"] for result in (*lists["results"], *public["results"]))
    assert export["user_keys"] == ["u:u-42"]
    assert receipt["user_keys"] == 1
