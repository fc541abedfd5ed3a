"""Every package of an installation has a licence that we may pass on, and NOTICE names those that ask for more."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PERMISSIVE = re.compile(r"\b(MIT|MIT-0|MIT-CMU|BSD|0BSD|BSD-[23]-Clause|3-Clause BSD|Apache|Apache-2\.0|PSF|PSF-2\.0|ISC|Zlib|Python Software Foundation)\b")  # fmt: skip  # noqa: E501
NEVER = re.compile(r"\b(AGPL|SSPL|BUSL|Business Source|Commons Clause)|(?<![L])\bGPL|GNU General Public|Affero")
AS_THEY_SAY = {"crawler-user-agents": "MIT"}
"""Licences of packages whose metadata say none, read in their source."""


def locked() -> list[str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return sorted({match[1] for line in lines if (match := re.match(r"([A-Za-z0-9._-]+)==", line))})


def licence_of(name: str) -> str | None:
    """Return what a package says of its licence; None where it is not installed here (another system's)."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    classified = [one.rpartition(" :: ")[2] for one in about.get_all("Classifier", []) if one.startswith("License ::")]
    said = about.get("License-Expression") or "; ".join(classified) or about.get("License", "").partition("\n")[0]
    return AS_THEY_SAY.get(name, str(said))


def is_passed_on(licence: str, *, is_named: bool) -> bool:
    if NEVER.search(licence) and not PERMISSIVE.search(licence):
        return False
    asks_for_more = re.search(r"LGPL|Lesser General|MPL|Mozilla", licence)
    return is_named if asks_for_more or not PERMISSIVE.search(licence) else True


@pytest.mark.parametrize(
    ("licence", "is_named", "may"),
    [
        ("MIT", False, True), ("BSD License", False, True), ("Apache-2.0 OR BSD-2-Clause", False, True),
        ("MPL-2.0 AND MIT", False, False), ("MPL-2.0 AND MIT", True, True), ("LGPL-3.0-only", False, False),
        ("LGPL-3.0-only", True, True), ("GPL-3.0-only", True, False), ("AGPL-3.0-or-later", True, False),
        ("GNU General Public License v3 (GPLv3)", True, False), ("SSPL-1.0", True, False), ("", False, False),
        ("Proprietary", False, False), ("GPL-2.0 OR MIT", False, True),
    ],
)  # fmt: skip
def test_what_may_be_passed_on(licence: str, is_named: bool, may: bool) -> None:
    assert is_passed_on(licence, is_named=is_named) == may


def test_every_locked_package_may_be_passed_on() -> None:
    notice = set(re.split(r"[\s,]+", (ROOT / "NOTICE").read_text()))
    found = {name: licence for name in locked() if (licence := licence_of(name)) is not None}
    assert len(found) > 50
    bad = {name: one for name, one in found.items() if not is_passed_on(one, is_named=name in notice)}
    assert not bad, f"name these in NOTICE with what they ask for, or take another package: {bad}"
