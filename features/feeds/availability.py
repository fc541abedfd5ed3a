"""Words for whether an item can be bought, as shops and schema.org write them in several languages. Pure.

References
----------
Google Merchant Center Help, "Availability"; schema.org, "ItemAvailability"; Meta, "Product catalogue fields".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_WORDS: Final = {
    "in_stock": (
        "in stock, instock, available, limited, limited stock, limited availability, low stock, online only, yes, y, "
        "true, on, 1, in store and online, ready to ship, immediately available, onstock, on stock, stock, active, "
        "auf lager, lieferbar, sofort lieferbar, verfügbar, sofort verfügbar, vorrätig, ja, lagernd, "
        "en stock, disponible, oui, stock limité, disponibilité immédiate, "
        "disponible en stock, en existencia, en existencias, hay stock, sí, si, "
        "disponibile, in magazzino, sì, op voorraad, voorradig, leverbaar, beschikbaar, "
        "dostępny, dostępne, na stanie, tak, w magazynie, skladem, na skladě, na sklade, dostupné, "
        "em estoque, em stock, disponível, sim, i lager, på lager, finns i lager, tillgänglig, tilgængelig, "
        "varastossa, saatavilla, raktáron, készleten, în stoc, in stoc, stokta, stokta var, var, "
        "в наличии, есть в наличии, есть, да, в наявності, є в наявності, 在庫あり, 有货, 재고 있음"
    ),
    "out_of_stock": (
        "out of stock, outofstock, oos, sold out, soldout, discontinued, unavailable, not available, no stock, no, n, "
        "false, off, 0, temporarily out of stock, temporarily unavailable, currently unavailable, reserved, "
        "in store only, end of life, obsolete, inactive, none, "
        "nicht auf lager, ausverkauft, nicht lieferbar, nicht verfügbar, vergriffen, nicht vorrätig, nein, "
        "derzeit nicht verfügbar, zur zeit nicht lieferbar, "
        "rupture de stock, en rupture, en rupture de stock, épuisé, indisponible, non disponible, non, hors stock, "
        "agotado, sin stock, sin existencias, no disponible, fuera de stock, esaurito, non disponibile, "
        "uitverkocht, niet op voorraad, niet beschikbaar, nee, niedostępny, niedostępne, brak, brak w magazynie, nie, "
        "vyprodáno, není skladem, nedostupné, vypredané, esgotado, fora de estoque, sem estoque, indisponível, não, "
        "slut i lager, slutsåld, ej i lager, udsolgt, ikke på lager, utsolgt, loppu, loppuunmyyty, ei varastossa, "
        "elfogyott, nincs készleten, stoc epuizat, indisponibil, tükendi, stokta yok, yok, "
        "нет в наличии, нет, продано, немає в наявності, 在庫なし, 売り切れ, 缺货, 품절"
    ),
    "preorder": (
        "preorder, pre order, presale, pre sale, coming soon, vorbestellbar, vorbestellung, vorverkauf, "
        "précommande, pré commande, preventa, reserva, prenotabile, preordine, pre ordine, pre bestelling, "
        "przedsprzedaż, předobjednávka, pré venda, förhandsbeställning, forudbestilling, предзаказ, 予約"
    ),
    "backorder": (
        "backorder, back order, onbackorder, on backorder, available for order, made to order, on demand, "
        "special order, on order, on request, nachbestellt, auf bestellung, bestellbar, auf anfrage, "
        "sur commande, bajo pedido, "
        "su ordinazione, su richiesta, op bestelling, na zamówienie, na objednávku, sob encomenda, "
        "beställningsvara, bestillingsvare, "
        "под заказ, на заказ, під замовлення, 2, お取り寄せ"
    ),
}  # fmt: skip
_MEANING: Final = {word.strip(): meaning for meaning, words in _WORDS.items() for word in words.split(",")}
_SQUEEZED: Final = {word.replace(" ", ""): meaning for word, meaning in _MEANING.items() if len(word) > 2}
_SHUT: Final = re.compile(
    r"out of|sold out|unavailable|no longer|not |nicht|ausverkauft|vergriffen|rupture|épuisé|agotado|esaurito|"
    r"uitverkocht|niedost|brak|vyprod|esgotado|нет"
)
_BEFORE: Final = re.compile(r"\bpre[ -]?(?:order|sale)|vorbestell|coming soon")
_LATE: Final = re.compile(r"back[ -]?order|on order|made to order|nachbestell")
_OPEN: Final = re.compile(
    r"\b(?:in stock|available|ships|dispatch\w*|deliver\w*|lieferbar|auf lager|lieferzeit|en stock|disponible|"
    r"op voorraad|skladem|left)\b"
)


def availability_of(written: object) -> str | None:
    """Return ``in_stock``, ``out_of_stock``, ``preorder`` or ``backorder``; None for a word without a meaning."""
    if isinstance(written, bool):
        return "in_stock" if written else "out_of_stock"
    if isinstance(written, int | float):
        return None if written != written else "in_stock" if written > 0 else "out_of_stock"
    return _meaning_of(str(written)[:200])


@lru_cache(maxsize=1_024)
def _meaning_of(written: str) -> str | None:
    text = written.strip().rstrip("/").rpartition("/")[2] if "schema.org" in written else written.strip()
    words = " ".join(re.sub(r"[_\-.!:()]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)).lower().split())
    found = _MEANING.get(words) or _SQUEEZED.get(words.replace(" ", ""))
    if found:
        return found
    if pieces := re.fullmatch(r"[<>≥~]?\s*(\d+)\s*\+?(?:\s*(?:pcs|pieces|st|stk|stück))?", words):
        return "in_stock" if int(pieces[1][:9]) else "out_of_stock"
    for pattern, meaning in ((_SHUT, "out_of_stock"), (_BEFORE, "preorder"), (_LATE, "backorder"), (_OPEN, "in_stock")):
        if pattern.search(words):
            return meaning
    return None
