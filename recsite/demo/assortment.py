"""What the demo shop sells, read from ``assortment.toml``: departments, categories and brands, written by hand."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """A brand and where it stands: 1 is the middle of the market, 0.6 cheap, 1.8 expensive."""

    name: str
    level: float
    story: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A kind of product: how its titles, prices and texts are made, and how shoppers come to it."""

    slug: str
    name: str
    department: str
    nouns: tuple[str, ...]
    sizes: tuple[str, ...]
    price: float
    brands: tuple[str, ...]
    materials: tuple[str, ...]
    benefits: tuple[str, ...]
    goes_with: tuple[str, ...]
    weight: float
    weekend: float

    @property
    def path(self) -> str:
        """The path of the category in the catalogue."""
        return f"{self.department} > {self.name}"


def _read(path: Path) -> tuple[dict[str, Brand], tuple[Category, ...]]:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    brands = {row["name"]: Brand(**row) for row in table["brands"]}
    categories = tuple(
        Category(department=department["name"], weekend=department["weekend"], **_tuples(row))
        for department in table["departments"]
        for row in department["categories"]
    )
    return brands, categories


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


BRANDS, CATEGORIES = _read(Path(__file__).with_name("assortment.toml"))
BY_SLUG: Final = {category.slug: category for category in CATEGORIES}
BY_PATH: Final = {category.path: category for category in CATEGORIES}
DEPARTMENTS: Final = tuple(dict.fromkeys(category.department for category in CATEGORIES))
