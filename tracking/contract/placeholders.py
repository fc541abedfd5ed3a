"""User ids that stand for nobody. Pure."""

from __future__ import annotations

from typing import Final

PLACEHOLDER_USER_IDS: Final = frozenset(
    {
        "", "0", "-1", "anon", "anonymous", "distinct_id", "distinctid", "email", "false", "guest", "id", "n/a", "na",
        "nan", "nil", "none", "not_authenticated", "null", "unknown", "undefined", "user", "user_id", "userid", "true",
        "[object object]", "(not set)", "00000000-0000-0000-0000-000000000000",
    }
)  # fmt: skip
"""What shops send as a user id where they have none; everybody with one of them would be one user.

References
----------
PostHog, "Identifying users" (illegal distinct ids); Mixpanel, "Identifying users" (ids that are never merged).
"""


def is_placeholder(user_id: str) -> bool:
    """Return whether ``user_id`` stands for nobody: ``undefined``, ``null``, ``guest`` and the like, in any case."""
    return user_id.strip().strip("\"'`").strip().lower() in PLACEHOLDER_USER_IDS
