"""What is read of an item: its words, in fields that weigh differently, and whether they changed. Pure."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

PATH_SEPARATOR: Final = ">"
MAX_DESCRIPTION: Final = 600
"""Characters of a description that are read: what an item is stands in its first sentences, terms of delivery later."""

MAX_ATTRIBUTES: Final = 30


class Field(NamedTuple):
    """A text, how much it says of what an item is, and whether it is one name rather than words."""

    text: str
    weight: float
    is_name: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemText:
    """What the catalogue says of an item in words.

    Attributes
    ----------
    unit : str
        The product that the item is a variant of, or the item itself; similar items are looked for among products.
    """

    item_id: str
    unit: str
    title: str = ""
    category: str = ""
    brand: str = ""
    description: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    image_url: str = ""

    def fields(self) -> Iterator[Field]:
        """Yield the item's texts, normalised; what is empty is left out."""
        yield Field(normal(self.title), 1.0)
        levels = [name for level in self.category.split(PATH_SEPARATOR) if (name := normal(level))]
        for depth in range(1, len(levels) + 1):  # a path says more than its last word: "Men > Shoes", "Dogs > Shoes"
            yield Field("category=" + ">".join(levels[:depth]), 0.6, is_name=True)
        yield Field(" ".join(levels[-1:]), 0.4)
        if self.brand:
            yield Field("brand=" + normal(self.brand), 0.6, is_name=True)
        for name, value in list(self.attributes.items())[:MAX_ATTRIBUTES]:
            for word in value if isinstance(value, list) else [value]:
                yield Field(f"{normal(name)}={normal(str(word))}", 0.4, is_name=True)
        for tag in self.tags[:MAX_ATTRIBUTES]:
            yield Field("tag=" + normal(tag), 0.4, is_name=True)
        yield Field(normal(self.description[:MAX_DESCRIPTION]), 0.3)

    def sentence(self) -> str:
        """Return the item as one text, the most telling words first, as sentence encoders read it."""
        attributes = "; ".join(
            f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
            for name, value in list(self.attributes.items())[:MAX_ATTRIBUTES]
        )
        parts = (self.title, self.brand, self.category, attributes, ", ".join(self.tags))
        return ". ".join(part.strip() for part in (*parts, self.description[:MAX_DESCRIPTION]) if part.strip())


def normal(text: str) -> str:
    """Return a text with words alone, in small letters and one blank between them; letters of any script stay."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(letter if letter.isalnum() else " " for letter in folded).split())


def digest(*parts: str | bytes) -> np.uint64:
    """Return 64 bits that change with each part; that two of ten million share them has a chance of 3e-6."""
    hashed = hashlib.blake2b(digest_size=8)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        hashed.update(len(data).to_bytes(8, "little"))
        hashed.update(data)
    return np.uint64(int.from_bytes(hashed.digest(), "little"))


def text_digest(item: ItemText) -> np.uint64:
    """Return the digest of all that encoders of texts read of an item."""
    return digest(item.sentence(), *(f"{each.weight}|{int(each.is_name)}|{each.text}" for each in item.fields()))
