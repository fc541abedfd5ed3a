"""Product pictures as SVG: one drawing a category, coloured and lit per item. Pure, and the same for the same item.

The drawings lie in ``drawings/``, one file a category, in a 400 by 400 box whose floor is at ``y = 326``. Colours are
variables, so that one drawing serves all colours of a product: ``--a`` main, ``--b`` its shade, ``--c`` its tint,
``--d`` accent, ``--m``/``--n`` light and dark metal, ``--k`` near-black, ``--w``/``--x`` light and dark wood,
``--p`` paper.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Final
from xml.sax.saxutils import escape, quoteattr

DRAWINGS_DIR: Final = Path(__file__).parent / "drawings"


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour in which things are made: main, shade, tint, an accent that suits it, and the wall behind it."""

    name: str
    main: str
    shade: str
    tint: str
    accent: str
    wall: str


COLOURS: Final = {
    colour.name: colour
    for colour in (
        Colour("moss", "#76875a", "#566543", "#d8dfc4", "#d9822b", "#eef1e6"),
        Colour("pine", "#2f5d50", "#20443a", "#bcd6cc", "#e0a458", "#e6f0ec"),
        Colour("ink", "#34495e", "#22313f", "#c3d0dc", "#e2725b", "#e8edf2"),
        Colour("slate", "#66757f", "#4b5860", "#d5dde1", "#e9b44c", "#edf1f3"),
        Colour("sand", "#cfae7e", "#a98a5c", "#f3e6cf", "#4f7f80", "#f8f2e7"),
        Colour("clay", "#c1745a", "#97543f", "#f0d3c6", "#3f6d6e", "#f9ece6"),
        Colour("rust", "#b4532f", "#863a1e", "#efc9b5", "#2f6173", "#f8e9e2"),
        Colour("mustard", "#d9a32b", "#ab7d17", "#f8e4b0", "#3d5a80", "#faf3df"),
        Colour("plum", "#7a4a6b", "#58334c", "#ddc6d6", "#e3a857", "#f3ebf0"),
        Colour("berry", "#b03a5b", "#842641", "#f0c3cf", "#3e7c74", "#f9e8ed"),
        Colour("sky", "#5b9bc2", "#3f7799", "#d2e6f2", "#e8894a", "#eaf4fa"),
        Colour("teal", "#2f8886", "#206361", "#bfe0dd", "#ee9b5f", "#e5f3f2"),
        Colour("stone", "#b3aca0", "#8c857a", "#ece8e1", "#b4532f", "#f4f2ee"),
        Colour("charcoal", "#4a4d52", "#303236", "#cfd2d6", "#d9a32b", "#edeef0"),
        Colour("cream", "#ecdfc6", "#cbb993", "#fbf5e8", "#a8543a", "#f3ede0"),
    )
}
_SHARED: Final = {
    "m": "#d3d9dd", "n": "#8f9aa3", "k": "#2b3036", "w": "#cda06b", "x": "#9c7146", "p": "#fdfaf4",
}  # fmt: skip
_VARIABLE: Final = re.compile(r"var\(--([a-z])\)")
_BODY: Final = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)

_PAGE: Final = Template((Path(__file__).parent / "picture.svg").read_text().rstrip("\n"))
_BACKDROPS: Final = (
    '<circle cx="200" cy="196" r="142"/>',
    '<path d="M88 336V188a112 112 0 0 1 224 0v148z"/>',
    '<path d="M60 236c-14-92 60-166 148-158s150 74 132 160-72 108-142 108S70 316 60 236z"/>',
    '<rect x="72" y="66" width="256" height="256" rx="56"/>',
    '<path d="M200 58l126 76v142l-126 66-126-66V134z"/>',
)


def picture(drawing: str, *, colour: str, seed: str, label: str) -> str:
    """Return the picture of a product as an SVG document.

    Parameters
    ----------
    drawing : str
        Name of a file in ``drawings/``.
    colour : str
        A name of ``COLOURS``.
    seed : str
        Chooses what varies from one product to the next: backdrop and size.
    label : str
        What a screen reader says when the file is opened by itself.
    """
    tone = COLOURS[colour]
    colours = {"a": tone.main, "b": tone.shade, "c": tone.tint, "d": tone.accent, **_SHARED}
    drawn = _VARIABLE.sub(lambda match: colours[match[1]], _drawing(drawing))
    return _page(drawn, tone=tone, seed=seed, label=label)


def lettered_picture(text: str, *, seed: str, label: str) -> str:
    """Return a picture for an item that we cannot draw: its initials on a coloured card."""
    tone = list(COLOURS.values())[_chance(seed)[3] % len(COLOURS)]
    initials = "".join(word[0] for word in text.split()[:2] if word[0].isalnum()).upper() or "·"
    letters = (
        f'<rect x="92" y="92" width="216" height="216" rx="48" fill="{tone.main}"/>'
        f'<path d="M92 236c60-40 120 40 216-16v40c0 26-22 48-48 48H140c-26 0-48-22-48-48z" fill="{tone.shade}"/>'
        f'<text x="200" y="204" fill="{tone.tint}" font-family="Georgia,serif" font-size="92" '
        f'text-anchor="middle" dominant-baseline="central">{escape(initials)}</text>'
    )
    return _page(letters, tone=tone, seed=seed, label=label)


def _page(drawn: str, *, tone: Colour, seed: str, label: str) -> str:
    chance = _chance(seed)
    return _PAGE.substitute(
        label=quoteattr(label),
        wall=tone.wall,
        tint=tone.tint,
        backdrop=_BACKDROPS[chance[0] % len(_BACKDROPS)],
        shadow=112 + chance[1] % 20,
        scale=f"{0.84 + chance[2] % 9 / 100:.2f}",
        drawing=drawn,
    )


def _chance(seed: str) -> bytes:
    return hashlib.blake2b(seed.encode(), digest_size=4).digest()


@cache
def _drawing(name: str) -> str:
    found = _BODY.search((DRAWINGS_DIR / f"{name}.svg").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"drawings/{name}.svg has no <svg> element")
    return found[1].strip()
