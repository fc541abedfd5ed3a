"""The demo shop's pages. They work without JavaScript; with it, lists are personal and live."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from urllib.parse import urlencode

from csp.decorators import csp_replace
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe

from features.models import Item
from features.money import to_major
from recsite.demo.assortment import BY_PATH
from recsite.demo.cart import Cart, event_item, paid_minor
from recsite.demo.finding import best_first, matching
from recsite.demo.pictures import COLOURS, lettered_picture, picture
from recsite.demo.shop import PAGE_SIZE, SORTS, departments, offered, shop_page, the_site, waits_for
from recsite.demo.simulation.personas import current_persona, personas, remember_persona
from tracking.access.identity import ANONYMOUS_COOKIE

ORDER_COOKIE: Final = "shop_order"
MAX_TERM: Final = 100

View = Callable[..., HttpResponseBase]


def shop_view(view: View) -> View:
    """Give a page the strict policy that we recommend to shops: own files only, nothing inline."""
    strict: View = csp_replace(
        {
            "default-src": ["'self'"],
            "script-src": ["'self'"],
            "style-src": ["'self'"],
            "img-src": ["'self'", "data:", "https:"],
            "connect-src": ["'self'"],
            "frame-ancestors": ["'self'"],
            "form-action": ["'self'"],
            "base-uri": ["'self'"],
            "object-src": ["'none'"],
        }
    )(view)
    return wraps(view)(strict)


@require_safe
@never_cache
def progress(request: HttpRequest) -> JsonResponse:
    """Answer what the shop still waits for."""
    return JsonResponse({"waits_for": waits_for()})


@require_safe
@shop_view
def home(request: HttpRequest) -> HttpResponse:
    """Show the shop window."""
    site = the_site()
    tree = departments(site)
    popular = offered(site).filter(availability=Item.Availability.IN_STOCK).order_by("item_id")
    window = [popular.filter(category=path).first() for path in list(BY_PATH)[::6]]
    shown = [item for item in window if item is not None] or list(popular[:8])
    return shop_page(request, "home.html", site=site, tree=tree, fallback=shown, hero=_hero(site))


@require_safe
@shop_view
def category(request: HttpRequest, path: str) -> HttpResponse:
    """Show what a department or category holds."""
    site = the_site()
    full = " > ".join(part for part in path.split("/") if part)
    found = offered(site).filter(Q(category=full) | Q(category__startswith=f"{full} > "))
    if not found.exists():
        raise Http404(f"there is no category {full!r}")
    names = full.split(" > ")
    branch = next((branch for branch in departments(site) if branch["name"] == names[0]), None)
    return _list_page(
        request,
        "category.html",
        site,
        best_first(found),
        title=names[-1],
        names=names,
        branch=branch,
        category_path=full,
    )  # fmt: skip


@require_safe
@shop_view
def search(request: HttpRequest) -> HttpResponse:
    """Show what matches a search: each word in title, brand, category or description."""
    site = the_site()
    term = " ".join(request.GET.get("q", "").replace("\x00", "").split())[:MAX_TERM]
    found = matching(offered(site), term)
    events: list[tuple[str, dict[str, Any]]] = []
    if term and "page" not in request.GET:
        events = [("search", {"search_term": term, "results": found.count()})]
    # Who asks for an order of price or age gets it; the shopper's own order stands in for relevance alone.
    rerank = "search_rerank" if request.GET.get("sort", "best") == "best" else ""
    return _list_page(request, "search.html", site, found, title=term, term=term, events=events, rerank=rerank)


@require_safe
@shop_view
def product(request: HttpRequest, item_id: str) -> HttpResponse:
    """Show one product, with its colours and what suits it."""
    site = the_site()
    item = offered(site).filter(item_id=item_id).first()
    if item is None:
        raise Http404(f"there is no product {item_id!r}")
    variants = list(offered(site).filter(group_id=item.group_id).order_by("item_id")) if item.group_id else []
    event = ("view_item", _params(item))
    near = offered(site).filter(category=item.category).exclude(pk=item.pk).order_by("item_id")[:4]
    return shop_page(
        request,
        "product.html",
        site=site,
        item=item,
        variants=variants,
        names=[name.strip() for name in item.category.split(">") if name.strip()],
        events=[event],
        item_params=_params(item),
        fallback=near,
        specs={name.replace("_", " "): value for name, value in item.attributes.items()},
        colours=COLOURS,
    )


@require_safe
@shop_view
def cart(request: HttpRequest) -> HttpResponse:
    """Show what is in the cart."""
    site = the_site()
    lines = Cart.of(request).lines(site)
    total = sum(line.total_minor for line in lines)
    items = [event_item(line.item, line.quantity) for line in lines]
    events = [("view_cart", {"currency": site.currency, "value": to_major(total, site.currency), "items": items})]
    return shop_page(
        request,
        "cart.html",
        site=site,
        lines=[(line, event_item(line.item, line.quantity)) for line in lines],
        total_minor=total,
        item_ids=",".join(line.item.item_id for line in lines),
        events=events if lines else [],
    )


@require_POST
@shop_view
def change_cart(request: HttpRequest) -> HttpResponse:
    """Add an item, or set its quantity; answers scripts with the new count and pages with a redirect."""
    site = the_site()
    item_id = request.POST.get("item_id", "")[:128]
    changed = Cart.of(request)
    quantity = _whole_number(request.POST.get("quantity", "1"))
    if request.POST.get("action") == "set":
        changed.put(item_id, quantity)
    elif offered(site).filter(item_id=item_id).exists():
        changed.add(item_id, max(1, quantity))
    response: HttpResponse
    if request.headers.get("Accept", "").startswith("application/json"):
        response = JsonResponse({"count": changed.count, "item_ids": list(changed.quantities)})
    else:
        response = redirect("shop-cart")
    changed.save(response, is_secure=request.is_secure())
    return response


@require_safe
@shop_view
def checkout(request: HttpRequest) -> HttpResponse:
    """Ask for the order."""
    site = the_site()
    lines = Cart.of(request).lines(site)
    if not lines:
        return redirect("shop-cart")
    total = sum(line.total_minor for line in lines)
    items = [event_item(line.item, line.quantity) for line in lines]
    event = ("begin_checkout", {"currency": site.currency, "value": to_major(total, site.currency), "items": items})
    return shop_page(
        request, "checkout.html", site=site, lines=lines, total_minor=total, events=[event],
        is_embarrassed="refused" in request.GET,
    )  # fmt: skip


@require_POST
@shop_view
def place_order(request: HttpRequest) -> HttpResponse:
    """Take the order: nothing is charged, nothing of the form is kept."""
    site = the_site()
    mine = Cart.of(request)
    if not mine.lines(site):
        return redirect("shop-cart")
    order = f"FF-{secrets.token_hex(5)}"
    response = redirect(reverse("shop-thanks", args=[order]))
    kept = "|".join([order, *(f"{item_id}={quantity}" for item_id, quantity in mine.quantities.items())])
    response.set_signed_cookie(
        ORDER_COOKIE, kept, max_age=600, httponly=True, samesite="Lax", secure=request.is_secure()
    )
    Cart({}).save(response, is_secure=request.is_secure())
    return response


@require_safe
@shop_view
def thanks(request: HttpRequest, order: str) -> HttpResponse:
    """Say thank you, and tell of the purchase once: a reload finds the cookie gone."""
    site = the_site()
    cookie = request.get_signed_cookie(ORDER_COOKIE, default="", max_age=600) or ""
    kept, *pairs = cookie.split("|")
    events: list[tuple[str, dict[str, Any]]] = []
    lines = []
    if kept == order:
        quantities = {item_id: _whole_number(number) for item_id, _, number in (pair.rpartition("=") for pair in pairs)}
        lines = Cart(quantities).lines(site)
        value = to_major(sum(line.total_minor for line in lines), site.currency)
        items = [event_item(line.item, line.quantity) for line in lines]
        purchase = {"transaction_id": order, "currency": site.currency, "value": value, "items": items}
        events = [("purchase", purchase)]
    response = shop_page(
        request, "thanks.html", site=site, order=order, lines=lines, events=events, persona_now=current_persona(request)
    )
    response.delete_cookie(ORDER_COOKIE, samesite="Lax")
    return response


@require_POST
@shop_view
def switch_shopper(request: HttpRequest) -> HttpResponse:
    """Become one of the simulated regulars, or a visitor whom nobody has seen before."""
    target = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}):
        target = "/"
    user_id = request.POST.get("user_id", "")
    response = HttpResponseRedirect(target)
    if user_id and all(persona.user_id != user_id for persona in personas()):
        user_id = ""
    remember_persona(response, user_id, is_secure=request.is_secure())
    Cart({}).save(response, is_secure=request.is_secure())
    # A new shopper must not inherit the old one's anonymous history.
    response.delete_cookie(ANONYMOUS_COOKIE, samesite="Lax")
    response.set_cookie("shop_switched", "1", max_age=60, samesite="Lax", secure=request.is_secure())
    return response


@require_GET
@cache_control(public=True, max_age=86_400, immutable=True)
def item_picture(request: HttpRequest, item_id: str) -> HttpResponse:
    """Draw the picture of an item."""
    item = Item.objects.filter(site=the_site(), item_id=item_id).only("title", "category", "attributes").first()
    if item is None:
        raise Http404(f"there is no item {item_id!r}")
    kind = BY_PATH.get(item.category)
    colour = item.attributes.get("colour")
    if kind is None or colour not in COLOURS:
        drawn = lettered_picture(item.title, seed=item_id, label=item.title)
    else:
        drawn = picture(kind.slug, colour=colour, seed=item_id, label=item.title)
    return HttpResponse(drawn, content_type="image/svg+xml; charset=utf-8")


@require_GET
@cache_control(public=True, max_age=86_400)
def category_picture(request: HttpRequest, drawing: str, colour: str) -> HttpResponse:
    """Draw a category."""
    known = {kind.slug: kind for kind in BY_PATH.values()}
    if drawing not in known or colour not in COLOURS:
        raise Http404(f"there is no drawing {drawing!r} in {colour!r}")
    drawn = picture(drawing, colour=colour, seed=drawing, label=known[drawing].name)
    return HttpResponse(drawn, content_type="image/svg+xml; charset=utf-8")


def _list_page(request: HttpRequest, template: str, site: Any, found: QuerySet[Item], **context: Any) -> HttpResponse:
    """Render a list with its filters: brand, stock, sale, price, order, page; all of them in the address."""
    brands = list(found.exclude(brand="").order_by("brand").values_list("brand", flat=True).distinct())
    chosen = {
        name: request.GET.get(name, "").replace("\x00", "")[:100] for name in ("brand", "max", "sale", "sort", "q")
    }
    if chosen["brand"]:
        found = found.filter(brand=chosen["brand"])
    if chosen["sale"]:
        found = found.filter(sale_price_minor__isnull=False)
    limit = _whole_number(chosen["max"])
    if limit:
        found = found.filter(price_minor__lte=limit * 100)
    sort = chosen["sort"] if chosen["sort"] in SORTS else "best"
    by = SORTS[sort][1]
    page = Paginator(found.order_by(*by) if by else found, PAGE_SIZE).get_page(request.GET.get("page"))
    kept = urlencode({name: value for name, value in chosen.items() if value})
    return shop_page(
        request, template, site=site, page=page, brands=brands, chosen={**chosen, "sort": sort}, kept=kept,
        sorts=[(name, label) for name, (label, _) in SORTS.items()], **context,
    )  # fmt: skip


def _hero(site: Any) -> list[Item]:
    wanted = ("Camping > Tents", "Cycling > Bikes", "Hiking > Backpacks", "Garden > Fire Bowls", "Living > Armchairs")
    found = [offered(site).filter(category=path).exclude(image_url="").order_by("item_id").first() for path in wanted]
    return [item for item in found if item is not None]


def _params(item: Item) -> dict[str, Any]:
    paid = paid_minor(item)
    params: dict[str, Any] = {"items": [event_item(item)]}
    if paid is not None and item.currency:
        params |= {"currency": item.currency, "value": to_major(paid, item.currency)}
    return params


def _whole_number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0
