"""What a shop's server knows of the shopper who asks for a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

COOKIE: Final = "rec_aid"
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")


def anonymous_id(cookies: Mapping[str, str]) -> str | None:
    """Return the anonymous id of a request's cookies (``request.COOKIES``), or ``None``.

    With it a server asks for the lists of the very shopper whose page it makes. The cookie is there where the shop
    hands a path of its own domain to Recsite; one of another form, which the server would not take, counts as none.
    """
    value = cookies.get(COOKIE, "")
    return value if _FORM.fullmatch(value) else None
