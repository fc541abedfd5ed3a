"""Texts of others in files that spreadsheets open."""

from __future__ import annotations

import re
from typing import Final

_FORMULA: Final = re.compile(r"[\s\x00-\x1f\u00a0\u200b\ufeff]*[=+\-@|%\uff1d\uff0b\uff0d\uff20\t\r\n]")


def spreadsheet_text(text: str) -> str:
    """Return a text that a spreadsheet shows and does not compute.

    One that begins like a formula (``=``, ``+``, ``-``, ``@``, their full-width forms, ``|`` and ``%``, also after
    blanks and signs that are not seen), or with a tab or the end of a line, is led by an apostrophe (OWASP, CSV
    injection).
    """
    return f"'{text}" if _FORMULA.match(text) else text
