"""Languages by what systems call them: ``de_DE``, ``german``, ``de-at-shop`` are all a language. Pure."""

from __future__ import annotations

import re
from typing import Final

_NAMES: Final = {
    "english": "en", "german": "de", "deutsch": "de", "french": "fr", "francais": "fr", "français": "fr",
    "spanish": "es", "espanol": "es", "español": "es", "italian": "it", "italiano": "it", "dutch": "nl",
    "nederlands": "nl", "polish": "pl", "polski": "pl", "portuguese": "pt", "swedish": "sv", "svenska": "sv",
    "danish": "da", "dansk": "da", "norwegian": "nb", "norsk": "nb", "finnish": "fi", "suomi": "fi", "czech": "cs",
    "slovak": "sk", "hungarian": "hu", "romanian": "ro", "bulgarian": "bg", "greek": "el", "turkish": "tr",
    "russian": "ru", "ukrainian": "uk", "japanese": "ja", "chinese": "zh", "korean": "ko", "arabic": "ar",
    "hebrew": "he", "croatian": "hr", "slovenian": "sl", "estonian": "et", "latvian": "lv", "lithuanian": "lt",
}  # fmt: skip
_CODES: Final = frozenset(re.findall(
    r"\w+",
    "af ar az be bg bn bs ca cs cy da de el en es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka kk kn ko lt lv"
    " mk ml mr ms mt nb nl nn no pa pl pt ro ru sk sl sq sr sv sw ta te th tl tr uk ur uz vi zh",
))  # fmt: skip
_CODE: Final = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{2}))?(?:[-_].*)?")


def language_of(written: str) -> str:
    """Return ``de`` or ``de-DE`` for what names a language; an empty text for what names none."""
    text = written.strip()
    if text.lower() in _NAMES:
        return _NAMES[text.lower()]
    match = _CODE.fullmatch(text)
    if match and match[1].lower() in _CODES:
        return match[1].lower() + (f"-{match[2].upper()}" if match[2] else "")
    first = re.split(r"[\s_\-]", text.lower())[0]
    return _NAMES.get(first, "")
