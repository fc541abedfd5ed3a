"""Which page may load and run what: own files, nothing inline; relaxed where a page cannot do without.

What the relaxed pages need was found out in Chromium, and ``tests/security/test_csp.py`` fails when they need more, or
less, than stands here.
"""

from __future__ import annotations

from typing import Any, Final

from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest
from django.http.response import HttpResponseBase

STRICT: Final[dict[str, list[Any]]] = {
    "default-src": [SELF],
    "script-src": [SELF, NONCE],
    "style-src": [SELF, NONCE],
    "img-src": [SELF, "data:", "https:"],  # items' pictures stand on the shops' own hosts
    "connect-src": [SELF],
    "frame-ancestors": [NONE],
    "form-action": [SELF],
    "base-uri": [NONE],
    "object-src": [NONE],
}
#: By the beginning of the path.
RELAXED: Final[dict[str, dict[str, list[Any]]]] = {
    # Unfold's Alpine.js builds functions from attributes, and shows and hides by style attributes.
    "/admin/": {"script-src": [SELF, NONCE, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]},
}
#: An answer that is data loads nothing at all, should a browser ever be made to show it.
DATA: Final[dict[str, list[Any]]] = {
    "default-src": [NONE], "frame-ancestors": [NONE], "base-uri": [NONE], "form-action": [NONE],
}  # fmt: skip


class PolicyMiddleware(CSPMiddleware):
    """Sends the strict policy, with what is relaxed for the path; a view's own decorator counts more."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """Return the policy of one answer."""
        parts = super().get_policy_parts(request, response, report_only)
        if report_only or parts.config is not None:
            return parts
        if response.headers.get("Content-Type", "").startswith("application/json"):
            parts.config = DATA
            return parts
        for prefix, directives in RELAXED.items():
            if request.path_info.startswith(prefix):
                parts.replace = {**directives, **(parts.replace or {})}
        return parts
