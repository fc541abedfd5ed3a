"""Who looks at the demo shop: one of a few simulated regulars, or a new visitor. Kept in a signed cookie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from django.http import HttpRequest, HttpResponse

from recsite.demo.catalogue import SEED
from recsite.demo.simulation.shoppers import Shopper, make_shoppers

COOKIE: Final = "shop_persona"
_NAMES: Final = ("Mara", "Jonas", "Edith", "Noor", "Pelle", "Ines", "Tove", "Anton")


@dataclass(frozen=True, slots=True)
class Persona:
    """A simulated shopper with a name and what the shop would say of her or him."""

    user_id: str
    name: str
    likes: str
    purse: str


@cache
def personas() -> tuple[Persona, ...]:
    """Return one frequent, identified shopper for each department: its greatest fan."""
    regulars = sorted(
        (shopper for shopper in make_shoppers(seed=SEED) if shopper.user_id and shopper.visits >= 5),
        key=lambda shopper: -shopper.visits,
    )
    found: dict[str, Shopper] = {}
    for shopper in regulars:
        for department in _favourites(shopper):
            if department not in found and shopper not in found.values():
                found[department] = shopper
                break
    named = zip(_NAMES, sorted(found.items()), strict=False)
    return tuple(
        Persona(shopper.user_id or "", name, " & ".join(_favourites(shopper)), _purse(shopper))
        for name, (_, shopper) in named
    )


def current_persona(request: HttpRequest) -> Persona | None:
    """Return who is logged in, ``None`` for a visitor."""
    user_id = request.get_signed_cookie(COOKIE, default="", max_age=30 * 86_400)
    return next((persona for persona in personas() if persona.user_id == user_id), None)


def remember_persona(response: HttpResponse, user_id: str, *, is_secure: bool) -> None:
    """Log a shopper in; an empty id logs out."""
    if any(persona.user_id == user_id for persona in personas()):
        response.set_signed_cookie(
            COOKIE, user_id, max_age=30 * 86_400, httponly=True, samesite="Lax", secure=is_secure
        )
    else:
        response.delete_cookie(COOKIE, samesite="Lax")


def _favourites(shopper: Shopper) -> list[str]:
    return [name for name, weight in shopper.departments.items() if weight > 1]


def _purse(shopper: Shopper) -> str:
    if shopper.price_level < 0.9:
        return "looks for a good price"
    return "buys the good things" if shopper.price_level > 1.1 else "somewhere in the middle"
