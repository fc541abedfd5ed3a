"""Items: search, filters, pictures, prices as people write them, and stock by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeNumericFilter
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from features.admin.duplicates import duplicates
from features.admin.quality import data_quality
from features.catalogue.site import announce_catalogue
from features.models import Item
from features.money import exponent_of, to_minor, written
from tracking.admin.decorators import action, display
from tracking.contract.mending.amounts import read_currency
from tracking.contract.mending.currencies import has_excess_decimals
from tracking.staff.audit import note_bulk
from tracking.staff.sites import seen
from tracking.templatetags.written import amount, whole

MAX_CATEGORIES: Final = 200
_PRICES: Final = {"price": "price_minor", "sale_price": "sale_price_minor", "cost": "cost_minor"}
_LABELS: Final = {
    "in stock": "success",
    "sold out": "danger",
    "pre-order": "info",
    "back-order": "warning",
    "inactive": "",
}


class CategoryFilter(admin.SimpleListFilter):
    """Everything in a category and below it."""

    title = "category"
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer every level of every path."""
        paths = (
            seen(Item.objects.all())
            .exclude(category="")
            .order_by("category")
            .values_list("category", flat=True)
            .distinct()
        )
        offered: dict[str, str] = {}
        for category in paths[: MAX_CATEGORIES * 2]:
            names = category.split(" > ")
            for depth in range(1, len(names) + 1):
                offered.setdefault(" > ".join(names[:depth]), "\u2003" * (depth - 1) + names[depth - 1])
        return list(offered.items())[:MAX_CATEGORIES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Item]) -> QuerySet[Item]:
        """Return the items of the chosen category."""
        chosen = self.value()
        if not chosen:
            return queryset
        return queryset.filter(category=chosen) | queryset.filter(category__startswith=f"{chosen} > ")


class BrandFilter(admin.SimpleListFilter):
    """Items of one brand; offered while there are few enough to choose from."""

    title = "brand"
    parameter_name = "brand"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the brands."""
        brands = seen(Item.objects.all()).exclude(brand="").order_by("brand").values_list("brand", flat=True).distinct()
        return [(brand, brand) for brand in brands[:MAX_CATEGORIES]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Item]) -> QuerySet[Item]:
        """Return the items of the chosen brand."""
        return queryset.filter(brand=self.value()) if self.value() else queryset


class RecommendableFilter(admin.SimpleListFilter):
    """Whether items may stand in a list now."""

    title = "recommendable"
    parameter_name = "recommendable"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer yes and no."""
        return [("yes", _("Yes")), ("no", _("No: inactive or sold out"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Item]) -> QuerySet[Item]:
        """Return the items that may, or may not; the same rule as ``Item.is_recommendable``."""
        if self.value() not in ("yes", "no"):
            return queryset
        shut = (
            queryset.filter(is_active=False)
            | queryset.filter(availability="out_of_stock")
            | queryset.filter(stock__lte=0)
        )
        return shut if self.value() == "no" else queryset.exclude(pk__in=shut.values("pk"))


class ItemForm(forms.ModelForm):  # type: ignore[type-arg]  # only typed stubs are generic
    """An item with its prices in the main unit and its tags as words."""

    price = forms.DecimalField(
        label=gettext_lazy("Price"), required=False, min_value=0, max_digits=14, widget=UnfoldAdminDecimalFieldWidget
    )
    sale_price = forms.DecimalField(
        label=gettext_lazy("Sale price"),
        required=False,
        min_value=0,
        max_digits=14,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=gettext_lazy("Empty: not on sale."),
    )
    cost = forms.DecimalField(
        label=gettext_lazy("Cost"),
        required=False,
        min_value=0,
        max_digits=14,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=gettext_lazy("For margin; never leaves the server."),
    )
    words = forms.CharField(
        label=gettext_lazy("Tags"),
        required=False,
        max_length=2_000,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Separated by commas."),
    )

    class Meta:
        model = Item
        fields = (
            "site", "item_id", "title", "titles", "description", "brand", "category", "url", "image_url", "currency",
            "availability", "stock", "group_id", "attributes", "is_active", "sale_starts_at", "sale_ends_at",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        item = self.instance
        for name, column in _PRICES.items():
            minor = getattr(item, column)
            if minor is not None:
                self.initial[name] = Decimal(written(minor, item.currency, grouped=False))
        self.initial["words"] = ", ".join(map(str, item.tags))

    def clean(self) -> dict[str, Any]:
        """Refuse a sale that is no sale."""
        cleaned: dict[str, Any] = super().clean() or {}
        price, sale = cleaned.get("price"), cleaned.get("sale_price")
        if sale is not None and (price is None or sale > price):
            self.add_error("sale_price", _("Is higher than the price; a sale price must be lower."))
        site = cleaned.get("site")
        currency = cleaned.get("currency") or (site.currency if site else "")
        for name in _PRICES:
            if cleaned.get(name) is not None and has_excess_decimals(cleaned[name], currency):
                exponent = exponent_of(currency)
                self.add_error(
                    name,
                    _("%(cleaned)s has more decimals than %(currency)s, which has %(exponent)s.")
                    % {"cleaned": f"{cleaned[name]:f}", "currency": currency, "exponent": exponent},
                )
        starts, ends = cleaned.get("sale_starts_at"), cleaned.get("sale_ends_at")
        if starts is not None and ends is not None and ends <= starts:
            self.add_error("sale_ends_at", _("Is not after the beginning; a sale ends after it began."))
        return cleaned

    def clean_currency(self) -> str:
        """Return the code in capitals."""
        written_code: str = self.cleaned_data["currency"]
        code = read_currency(written_code) if written_code else ""
        if code is None:
            raise forms.ValidationError(
                _("%(written_code)s is no currency of ISO 4217; write a code such as EUR.")
                % {"written_code": f"{written_code!r}"}
            )
        return code

    def save(self, commit: bool = True) -> Any:
        """Write prices in minor units of the item's currency, and tags as a list."""
        item: Item = self.instance
        item.currency = item.currency or item.site.currency
        for name, column in _PRICES.items():
            amount = self.cleaned_data[name]
            setattr(item, column, None if amount is None else to_minor(amount, item.currency))
        item.tags = list(dict.fromkeys(word.strip() for word in self.cleaned_data["words"].split(",") if word.strip()))
        return super().save(commit)


@admin.register(Item)
class ItemAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """The catalogue of all sites."""

    form = ItemForm
    change_form_outer_before_template = "admin/features/recall.html"
    empty_state = (
        gettext_lazy("No items yet"),
        gettext_lazy(
            "Load the shop's catalogue with the button above: an export of the shop system or a product "
            "feed; or send it with PUT /v1/items."
        ),
    )
    list_display = ("shows_item", "brand", "category", "shows_price", "shows_state", "stock", "updated_at")
    list_filter = (
        ("site", AutocompleteSelectFilter),
        RecommendableFilter,
        ("availability", ChoicesDropdownFilter),
        CategoryFilter,
        BrandFilter,
        ("price_minor", RangeNumericFilter),
    )
    list_filter_submit = True
    search_fields = ("item_id", "title", "brand")
    search_help_text = gettext_lazy("Number, title or brand")
    list_select_related = ("site",)
    list_per_page = 50
    show_full_result_count = False
    autocomplete_fields = ("site",)
    readonly_fields = ("shows_picture", "first_seen_at", "updated_at")
    actions_list = ("load_feed",)
    actions = ("sell_out", "put_in_stock", "deactivate", "activate")
    fieldsets = (
        (None, {"fields": ("shows_picture", "title", ("site", "item_id"), ("brand", "category"), "description")}),
        (
            gettext_lazy("Price and stock"),
            {
                "fields": (
                    ("price", "sale_price"),
                    "sale_starts_at",
                    "sale_ends_at",
                    ("cost", "currency"),
                    ("availability", "stock"),
                    "is_active",
                )
            },
        ),
        (gettext_lazy("On the page"), {"fields": ("url", "image_url", "titles")}),
        (
            gettext_lazy("For rules and filters"),
            {"fields": ("words", "attributes", "group_id", ("first_seen_at", "updated_at"))},
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of data quality and of duplicates."""
        quality = self.admin_site.admin_view(lambda request: data_quality(self, request))
        doubled = self.admin_site.admin_view(lambda request: duplicates(self, request))
        return [
            path("data-quality/", quality, name="features_item_data_quality"),
            path("duplicates/", doubled, name="features_item_duplicates"),
            *super().get_urls(),
        ]

    @action(description=gettext_lazy("Load a feed"), url_path="load-feed", icon="upload")
    def load_feed(self, request: HttpRequest) -> HttpResponse:
        """Go to the upload of feeds."""
        return HttpResponseRedirect(reverse("admin:features_feed_file"))

    @display(description=gettext_lazy("Item"), header=True, ordering="title")
    def shows_item(self, item: Item) -> tuple[str, str, str, dict[str, Any]]:
        """Show the picture beside title and number."""
        picture = {"path": item.image_url, "squared": True, "width": 44, "height": 44} if item.image_url else {}
        return item.title, item.item_id, "", picture

    @display(description=gettext_lazy("Price"), ordering="price_minor")
    def shows_price(self, item: Item) -> str | SafeString:
        """Show the price, and the sale price before it while the sale is on."""
        if item.price_minor is None:
            return _("none")
        price = f"{amount(item.price_minor, item.currency)} {item.currency}"
        paid = item.paid_minor(at=timezone.now())
        if paid is None or paid == item.price_minor:
            return price
        return format_html("<b>{}</b> <s>{}</s>", amount(paid, item.currency), price)

    @display(description=gettext_lazy("State"), label=_LABELS)
    def shows_state(self, item: Item) -> str:
        """Show why an item may or may not be recommended."""
        if not item.is_active:
            return _("inactive")
        if not item.is_recommendable:
            return _("sold out")
        return str(item.get_availability_display())

    @display(description=gettext_lazy("Picture"))
    def shows_picture(self, item: Item) -> str | SafeString:
        """Show the picture as users see it."""
        if not item.image_url:
            return _("none")
        return format_html('<img src="{}" alt="" width="160" height="160" style="border-radius:12px">', item.image_url)

    @action(description=gettext_lazy("Mark as sold out"))
    def sell_out(self, request: HttpRequest, queryset: QuerySet[Item]) -> None:
        """Take items out of every list within two seconds."""
        self._set(request, queryset, availability=Item.Availability.OUT_OF_STOCK)

    @action(description=gettext_lazy("Mark as in stock"))
    def put_in_stock(self, request: HttpRequest, queryset: QuerySet[Item]) -> None:
        """Let items be recommended again; a counted stock of nothing becomes uncounted."""
        emptied = queryset.filter(stock__lte=0)
        note_bulk(emptied, {"stock": None})
        emptied.update(stock=None, updated_at=timezone.now())
        self._set(request, queryset, availability=Item.Availability.IN_STOCK)

    @action(
        description=gettext_lazy("Never recommend"),
        attrs={"data-confirm": gettext_lazy("Shall the chosen items leave every list?")},
    )
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Item]) -> None:
        """Hide items from every list."""
        self._set(request, queryset, is_active=False)

    @action(description=gettext_lazy("Recommend again"))
    def activate(self, request: HttpRequest, queryset: QuerySet[Item]) -> None:
        """Let items be listed again."""
        self._set(request, queryset, is_active=True)

    def _set(self, request: HttpRequest, queryset: QuerySet[Item], **values: Any) -> None:
        sites = set(queryset.order_by().values_list("site__slug", flat=True).distinct())
        note_bulk(queryset, values)
        # update() passes by auto_now; without the time the change would stay unseen.
        changed = queryset.update(**values, updated_at=timezone.now())
        for site in sites:
            announce_catalogue(site)
        self.message_user(
            request,
            ngettext("%(n)s item changed.", "%(n)s items changed.", changed) % {"n": whole(changed)},
            messages.SUCCESS,
        )
