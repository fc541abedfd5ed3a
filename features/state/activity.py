"""Browsing sessions of a user: events less than 30 minutes apart belong together, in whatever order they arrive."""

from __future__ import annotations

from features.definitions import KEEP_SESSIONS, SESSION_GAP_MS

Sessions = list[list[int]]  # [start_ms, end_ms, events], oldest first


def add_activity(sessions: Sessions, at_ms: int) -> None:
    """Count an event in its session; joins two sessions when it closes the gap between them."""
    if sessions:
        last = sessions[-1]
        if last[0] <= at_ms <= last[1] + SESSION_GAP_MS:
            last[2] += 1
            if last[1] < at_ms:
                last[1] = at_ms
            return
        if at_ms < last[0]:
            _add_earlier(sessions, at_ms)
            return
    sessions.append([at_ms, at_ms, 1])
    del sessions[:-KEEP_SESSIONS]


def _add_earlier(sessions: Sessions, at_ms: int) -> None:
    near = [s for s in sessions if s[0] - SESSION_GAP_MS <= at_ms <= s[1] + SESSION_GAP_MS]
    if not near:
        sessions.append([at_ms, at_ms, 1])
    else:
        joined = [
            min(at_ms, *(s[0] for s in near)),
            max(at_ms, *(s[1] for s in near)),
            1 + sum(s[2] for s in near),
        ]
        sessions[:] = [s for s in sessions if s not in near] + [joined]
    sessions.sort()
    del sessions[:-KEEP_SESSIONS]
