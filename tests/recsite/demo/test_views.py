from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from django.test import Client

from features.feeds import upsert_items
from features.models import Item
from recsite.demo.assortment import BRANDS, BY_SLUG, CATEGORIES
from recsite.demo.catalogue import HISTORY_DAYS, SEED, Product, make_products
from recsite.demo.finding import best_first, matching
from recsite.demo.pictures import COLOURS, lettered_picture, picture
from recsite.demo.setup import PLACEMENTS, ensure_admin, ensure_placements, ensure_site, give_pages
from recsite.demo.simulation.personas import personas
from recsite.demo.simulation.shoppers import make_shoppers, record
from recsite.demo.source import item_row
from tracking.access.sites import ensure_default_site
from tracking.contract.events import EventRecord
from tracking.contract.parsing import encode_record, parse_record

END = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def products() -> list[Product]:
    return make_products(end=END)


@pytest.fixture(scope="module")
def history(products: list[Product]) -> list[EventRecord]:
    return list(record(products, end=END, seed=SEED, site="shop"))


# --- catalogue, pictures, shoppers -----------------------------------------------------------------------------


def test_the_same_seed_makes_the_same_shop(products: list[Product]) -> None:
    assert make_products(end=END) == products
    assert make_products(end=END, seed=SEED + 1) != products


def test_products_are_believable(products: list[Product]) -> None:
    assert len({product.item_id for product in products}) == len(products) == 2_000
    assert {product.category for product in products} == set(CATEGORIES)
    for product in products:
        assert 0 < product.cost_minor < product.price_minor
        assert product.sale_price_minor is None or product.sale_price_minor < product.price_minor
        assert (product.stock > 0) == (product.availability == "in_stock")
        assert product.first_seen_at <= END


def test_dear_brands_are_dearer_than_cheap_ones(products: list[Product]) -> None:
    relative: dict[str, list[float]] = defaultdict(list)
    for product in products:
        relative[product.brand].append(product.price_minor / 100 / product.category.price)
    usual = {brand: sum(prices) / len(prices) for brand, prices in relative.items()}

    cheap = [usual[name] for name, brand in BRANDS.items() if brand.level < 0.8]
    dear = [usual[name] for name, brand in BRANDS.items() if brand.level > 1.3]
    assert max(cheap) < min(dear)


def test_what_goes_together_is_sold_here() -> None:
    for category in CATEGORIES:
        assert category.goes_with
        assert all(slug in BY_SLUG and slug != category.slug for slug in category.goes_with)
        assert all(brand in BRANDS for brand in category.brands)


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.slug)
def test_every_category_has_a_picture_in_every_colour(category: Any) -> None:
    for colour in COLOURS:
        drawn = picture(category.slug, colour=colour, seed="FF01001", label='Tea "Time" <&>')
        assert ElementTree.fromstring(drawn).get("aria-label") == 'Tea "Time" <&>'
        assert "var(" not in drawn
        assert "$" not in drawn


def test_an_item_we_cannot_draw_gets_its_initials() -> None:
    drawn = lettered_picture("<script> & co", seed="x", label="a<b")
    assert "<script>" not in drawn
    ElementTree.fromstring(drawn)


def test_history_is_in_order_of_time_and_holds_to_the_contract(history: list[EventRecord]) -> None:
    times = [each.events[0].occurred_at_ms for each in history]
    ids = [each.events[0].event_id for each in history]

    assert 30_000 < len(history) < 80_000
    assert times == sorted(times)
    assert len(set(ids)) == len(ids)
    assert END - timedelta(days=HISTORY_DAYS + 1) < datetime.fromtimestamp(times[0] / 1_000, UTC)
    assert datetime.fromtimestamp(times[-1] / 1_000, UTC) < END
    for each in history[::97]:
        assert parse_record(encode_record(each)) == each


def test_the_same_seed_makes_the_same_history(products: list[Product], history: list[EventRecord]) -> None:
    assert list(record(products, end=END, seed=SEED, site="shop"))[:5_000] == history[:5_000]


def viewed(history: list[EventRecord]) -> list[tuple[str, str, int]]:
    return [
        (each.user_key, event.params.items[0].item_id, event.occurred_at_ms)  # type: ignore[union-attr]
        for each in history
        for event in each.events
        if type(event).__name__ == "ViewItem"
    ]


def test_few_products_draw_much(history: list[EventRecord]) -> None:
    counts = [count for _, count in Counter(item_id for _, item_id, _ in viewed(history)).most_common()]
    assert 0.25 < sum(counts[:200]) / sum(counts) < 0.7


def test_nothing_is_seen_before_it_arrived(products: list[Product], history: list[EventRecord]) -> None:
    arrived = {product.item_id: product.first_seen_at.timestamp() * 1_000 for product in products}
    # A visit chooses among what is there at its start.
    assert all(at_ms > arrived[item_id] for _, item_id, at_ms in viewed(history))


def test_shoppers_have_tastes(products: list[Product], history: list[EventRecord]) -> None:
    """A shopper's two most visited departments draw far more than a quarter of the views, which is chance."""
    department = {product.item_id: product.category.department for product in products}
    by_shopper: dict[str, Counter[str]] = defaultdict(Counter)
    for user_key, item_id, _ in viewed(history):
        by_shopper[user_key][department[item_id]] += 1
    frequent = [counts for counts in by_shopper.values() if counts.total() >= 30]

    shares = [sum(count for _, count in counts.most_common(2)) / counts.total() for counts in frequent]
    assert len(frequent) > 100
    assert sum(shares) / len(shares) > 0.55


def test_orders_hold_what_goes_together(products: list[Product], history: list[EventRecord]) -> None:
    category = {product.item_id: product.category for product in products}
    pairs = together = 0
    for each in history:
        for event in each.events:
            if type(event).__name__ == "Purchase":
                bought = [category[item.item_id] for item in event.params.items]  # type: ignore[union-attr]
                for first in bought:
                    for second in bought:
                        if first.slug < second.slug:
                            pairs += 1
                            together += second.slug in first.goes_with or first.slug in second.goes_with
    assert pairs > 300
    assert together / pairs > 0.4  # by chance it were below 0.1


def test_evenings_and_weekends_are_busier(history: list[EventRecord]) -> None:
    moments = [datetime.fromtimestamp(at_ms / 1_000, UTC) for _, _, at_ms in viewed(history)]
    hours = Counter(moment.hour for moment in moments)
    days = Counter(moment.date() for moment in moments)
    weekend = [count for day, count in days.items() if day.weekday() >= 5]
    workday = [count for day, count in days.items() if day.weekday() < 5]

    assert hours[20] > 5 * hours[3]
    assert sum(weekend) / len(weekend) > 1.1 * sum(workday) / len(workday)


def test_personas_are_regulars_with_different_tastes() -> None:
    regulars = {shopper.user_id: shopper for shopper in make_shoppers(seed=SEED)}
    assert len(personas()) >= 6
    assert len({persona.user_id for persona in personas()}) == len(personas())
    assert all(regulars[persona.user_id].visits >= 5 for persona in personas())


# --- pages -----------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(db: None, products: list[Product], settings: Any) -> list[Product]:
    settings.ROOT_URLCONF = "recsite.demo.urls"
    site, _ = ensure_site()
    ensure_placements(site)
    some = [product for product in products if product.category.slug in ("backpack", "mug", "tent", "bottle")]
    upsert_items(site, map(item_row, some))
    return some


def in_stock(shop: list[Product]) -> Product:
    return next(product for product in shop if product.stock > 5)


def events_of(response: HttpResponse) -> list[Any]:
    found = re.search(r'<script id="page-events" type="application/json">(.*?)</script>', response.content.decode())
    assert found is not None
    events: list[Any] = json.loads(found[1])
    return events


def test_pages_answer_and_allow_no_inline_code(shop: list[Product], client: Client) -> None:
    item = in_stock(shop)
    for address in (
        "/",
        "/c/Hiking/",
        "/c/Hiking/Backpacks/",
        "/search/?q=mug",
        "/search/?q=zzz",
        f"/p/{item.item_id}/",
        "/cart/",
    ):
        response = client.get(address)
        text = response.content.decode()

        assert response.status_code == 200, address
        policy = response.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "script-src 'self'" in policy
        assert not re.search(r"<script(?![^>]*(?:src=|type=\"application/json\"))", text)
        assert not re.search(r"\son\w+=|\sstyle=", text)


def test_widgets_name_placements_that_exist(shop: list[Product], client: Client) -> None:
    known = {name for name, *_ in PLACEMENTS}
    named: set[str] = set()
    client.post("/cart/change/", {"item_id": in_stock(shop).item_id})
    for address in ("/", f"/p/{shop[0].item_id}/", "/cart/", "/c/Hiking/"):
        named |= set(re.findall(r'placement="(\w+)"', client.get(address).content.decode()))

    assert named <= known
    assert {"home_for_you", "product_similar", "product_bought_together", "cart_cross_sell", "recently_viewed"} <= named


def test_lists_have_products_without_scripts(shop: list[Product], client: Client) -> None:
    assert "/p/" in re.findall(r"<rec-widget.*?</rec-widget>", client.get("/").content.decode(), re.DOTALL)[0]


@pytest.mark.parametrize(
    "address", ["/p/nothing/", "/c/Nothing/", "/demo/pictures/nothing.svg", "/demo/drawings/x/moss.svg"]
)
def test_what_is_not_there_is_404(shop: list[Product], client: Client, address: str) -> None:
    assert client.get(address).status_code == 404


def test_filters_narrow_the_list(shop: list[Product], client: Client) -> None:
    page = client.get("/c/Hiking/Backpacks/", {"brand": "Nordrand", "max": "250", "sort": "low"}).context["page"]

    prices = [item.price_minor for item in page]
    assert {item.brand for item in page} == {"Nordrand"}
    assert prices == sorted(prices)
    assert max(prices) <= 25_000


@pytest.mark.parametrize("query", ["page=99999", "page=x", "max=-1", "sort=drop", "brand=%00", "max=" + "9" * 50])
def test_odd_filters_do_no_harm(shop: list[Product], client: Client, query: str) -> None:
    assert client.get(f"/c/Hiking/?{query}").status_code == 200


def test_search_finds_words_in_any_order_and_tells_of_it(shop: list[Product], client: Client) -> None:
    response = client.get("/search/", {"q": "mugs kiln"})

    assert response.context["page"].paginator.count > 0
    assert {item.category for item in response.context["page"]} == {"Kitchen > Mugs"}
    ((name, params),) = events_of(response)
    assert (name, params["search_term"]) == ("search", "mugs kiln")


def test_search_results_can_be_sorted_for_the_shopper(shop: list[Product], client: Client) -> None:
    by_relevance = client.get("/search/", {"q": "mug"}).content.decode()
    by_price = client.get("/search/", {"q": "mug", "sort": "low"}).content.decode()

    assert 'data-rerank="search_rerank" hidden' in by_relevance, "shown by the script once the order is there"
    assert "search_rerank" in {name for name, *_ in PLACEMENTS}
    assert len(re.findall(r'<li data-item="[^"]+"', by_relevance)) > 5
    assert "data-rerank" not in by_price, "who asks for an order of price gets it"


def test_markup_in_a_search_is_only_text(shop: list[Product], client: Client) -> None:
    text = client.get("/search/", {"q": "</script><script>alert(1)</script>"}).content.decode()
    assert "<script>alert(1)" not in text


def test_a_purchase_is_told_once_with_what_was_paid(shop: list[Product], client: Client) -> None:
    product = in_stock(shop)
    client.post("/cart/change/", {"item_id": product.item_id, "quantity": "2"})
    (cart,) = events_of(client.get("/cart/"))
    (checkout,) = events_of(client.get("/checkout/"))

    thanks = client.post("/checkout/order/", follow=True)
    again = client.get(thanks.redirect_chain[-1][0])

    ((name, params),) = events_of(thanks)
    assert [cart[0], checkout[0], name] == ["view_cart", "begin_checkout", "purchase"]
    assert params["value"] == pytest.approx(2 * product.paid_minor / 100)
    assert [(item["item_id"], item["quantity"]) for item in params["items"]] == [(product.item_id, 2)]
    assert events_of(again) == []
    assert client.get("/cart/").context["lines"] == []


def test_what_the_shop_tells_holds_to_the_contract(shop: list[Product], client: Client) -> None:
    from tracking.contract.parsing import parse_event

    product = in_stock(shop)
    client.post("/cart/change/", {"item_id": product.item_id})
    told = [
        *events_of(client.get(f"/p/{product.item_id}/")), *events_of(client.get("/cart/")),
        *events_of(client.get("/checkout/")), *events_of(client.get("/search/?q=mug")),
        *events_of(client.post("/checkout/order/", follow=True)),
    ]  # fmt: skip

    for name, params in told:
        event = parse_event(json.dumps({"event_id": "event-001", "event": name, "ts": 1, "params": params}).encode())
        assert type(event).__name__ != "CustomEvent"
    assert [name for name, _ in told] == ["view_item", "view_cart", "begin_checkout", "search", "purchase"]


def test_scripts_get_the_count_of_the_cart(shop: list[Product], client: Client) -> None:
    item_id = in_stock(shop).item_id

    added = client.post("/cart/change/", {"item_id": item_id, "quantity": "3"}, headers={"Accept": "application/json"})
    taken = client.post(
        "/cart/change/", {"item_id": item_id, "action": "set", "quantity": "0"}, headers={"Accept": "application/json"}
    )

    assert added.json() == {"count": 3, "item_ids": [item_id]}
    assert taken.json() == {"count": 0, "item_ids": []}


@pytest.mark.parametrize("quantity", ["-5", "1e9", "99999999999", "x", ""])
def test_odd_quantities_do_no_harm(shop: list[Product], client: Client, quantity: str) -> None:
    client.post("/cart/change/", {"item_id": in_stock(shop).item_id, "quantity": quantity})
    assert 0 < client.get("/cart/").context["cart_count"] <= 20


def test_a_forged_cart_is_empty(shop: list[Product], client: Client) -> None:
    client.cookies["shop_cart"] = json.dumps({in_stock(shop).item_id: 5})
    assert client.get("/cart/").context["cart_count"] == 0


def test_switching_the_shopper_starts_afresh_and_signs_a_token(shop: list[Product], client: Client) -> None:
    client.post("/cart/change/", {"item_id": in_stock(shop).item_id})
    client.cookies["rec_aid"] = "a" * 32

    switched = client.post("/demo/shopper/", {"user_id": personas()[0].user_id, "next": "/cart/"})
    page = client.get("/cart/")

    assert switched.headers["Location"] == "/cart/"
    assert switched.cookies["rec_aid"]["max-age"] == 0
    assert page.context["cart_count"] == 0
    assert page.context["user_token"].count(".") == 2
    client.post("/demo/shopper/", {"user_id": ""})
    assert client.get("/").context["persona"] is None


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_switching_never_leads_elsewhere(shop: list[Product], client: Client, target: str) -> None:
    assert client.post("/demo/shopper/", {"user_id": "", "next": target}).headers["Location"] == "/"


def test_nobody_becomes_a_shopper_that_is_no_persona(shop: list[Product], client: Client) -> None:
    client.post("/demo/shopper/", {"user_id": "somebody-else"})
    assert client.get("/").context["persona"] is None


def test_forms_need_their_token(shop: list[Product]) -> None:
    strict = Client(enforce_csrf_checks=True)
    for address in ("/cart/change/", "/checkout/order/", "/demo/shopper/"):
        assert strict.post(address, {}).status_code == 403


def test_pictures_are_cached(shop: list[Product], client: Client) -> None:
    response = client.get(f"/demo/pictures/{shop[0].item_id}.svg")
    assert response.headers["Content-Type"].startswith("image/svg+xml")
    assert "immutable" in response.headers["Cache-Control"]


def test_the_shop_works_without_the_feature_store(shop: list[Product], client: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    client.cookies["rec_aid"] = "somebody-" + "x" * 23
    assert "does not answer" in client.get("/demo/knowledge/").content.decode()
    assert client.get("/").status_code == 200


@pytest.mark.redis
def test_the_knowledge_page_shows_a_stranger_nothing(
    shop: list[Product], client: Client, settings: Any, redis_url: str
) -> None:
    settings.REDIS_URL = redis_url
    client.cookies["rec_aid"] = "nobody-" + "x" * 25
    assert "Nothing yet" in client.get("/demo/knowledge/").content.decode()


# --- the command -----------------------------------------------------------------------------------------------


@pytest.mark.redis
@pytest.mark.slow
def test_demo_data_makes_everything_once(db: None, settings: Any, tmp_path: Any, redis_url: str) -> None:
    settings.DEMO, settings.DATA_DIR = True, tmp_path
    settings.EVENT_LOG_URL = f"memory://demo-{tmp_path.name}?partitions=2"

    call_command("demo_data")
    password = (tmp_path / "admin_password").read_text()
    call_command("demo_data")

    from tracking.log import open_log

    log = open_log(settings.EVENT_LOG_URL)
    ids = [parse_record(entry.value).events[0].event_id for number in range(2) for entry in log.read_all(number)]
    assert Item.objects.count() == 2_000
    assert 30_000 < len(ids) == len(set(ids))
    assert (tmp_path / "admin_password").read_text() == password
    assert (tmp_path / "admin_password").stat().st_mode & 0o077 == 0


def test_items_of_a_real_log_get_a_page_and_a_picture(shop: list[Product], client: Client) -> None:
    site, _ = ensure_site()
    upsert_items(site, [{"item_id": "85123A", "title": "WHITE HANGING HEART"}, {"item_id": "a b/c", "title": "Odd"}])

    assert give_pages(site) == 1

    assert "WHITE HANGING HEART" in client.get("/p/85123A/").content.decode()
    assert "WH" in client.get("/demo/pictures/85123A.svg").content.decode()


def test_demo_data_is_refused_where_it_was_not_asked_for(db: None, settings: Any) -> None:
    settings.DEMO = settings.DEBUG = False
    with pytest.raises(CommandError, match="RECSITE_DEMO=1"):
        call_command("demo_data")


def test_the_admins_password_is_never_one_that_others_chose(db: None, tmp_path: Any, django_user_model: Any) -> None:
    django_user_model.objects.create_superuser("admin", "", "my own password")
    assert ensure_admin(tmp_path / "password") is None
    assert not (tmp_path / "password").exists()


@pytest.mark.django_db
def test_a_search_shows_titles_first_and_no_chance_hits_in_descriptions() -> None:
    site, _ = ensure_default_site()
    for item_id, title, description in (
        ("1", "Moor Boot", "Holds its shape in consistent rain."),
        ("2", "Ground Sheet", "Goes under tents of two metres."),
        ("3", "Dome Tent", "Stands in the wind."),
    ):
        Item.objects.create(site=site, item_id=item_id, title=title, description=description)

    found = matching(Item.objects.filter(site=site), "tents")

    assert [item.item_id for item in found] == ["3", "2"]


@pytest.mark.django_db
def test_a_department_shows_one_of_each_category_in_turn() -> None:
    site, _ = ensure_default_site()
    for number, category in enumerate(("Camping > Tents", "Camping > Tents", "Camping > Stoves", "Camping > Mats")):
        Item.objects.create(site=site, item_id=f"a{number}", title="x", category=category)

    shown = [item.category for item in best_first(Item.objects.filter(site=site))]

    assert set(shown[:3]) == {"Camping > Tents", "Camping > Stoves", "Camping > Mats"}
    assert shown[3] == "Camping > Tents"
