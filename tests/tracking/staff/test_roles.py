"""The table of the page about roles is the one of the code."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from recommendations.models import Placement, Rule
from tracking.models import Site
from tracking.staff.roles import ALL, AREAS, RIGHTS, ROLES, TABLE, gives

WORDS = {"view_report": "see reports", "view_personal_data": "read personal data", "publish": "publish"}


def row_of(role: str) -> str:
    cells = []
    for area in AREAS:
        actions = TABLE[role].get(area, ())
        words = "all" if actions == ALL else "look" if actions else "\N{EN DASH}"
        if area == "merchandising" and actions == ALL and not gives(role, Placement, "change_placement"):
            words += ", placements: look"
        cells.append(words)
    rights = ", ".join(words for right, words in WORDS.items() if right in RIGHTS[role])
    return f"| {role} | {' | '.join(cells)} | {rights} |"


def test_the_page_says_what_the_code_does() -> None:
    page = (Path(settings.BASE_DIR) / "docs" / "roles.md").read_text()
    for role in ROLES:
        assert row_of(role) in page


def test_publishing_is_beside_changing() -> None:
    assert gives("Merchandiser (drafts only)", Rule, "change_rule")
    assert not gives("Merchandiser (drafts only)", Rule, "publish_rule")
    assert not gives("Merchandiser (drafts only)", Placement, "change_placement")
    assert gives("Merchandiser", Rule, "publish_rule")
    assert not gives("Engineer", Rule, "change_rule")
    assert gives("Engineer", Site, "change_site")
