"""What merchandisers steer: placements and rules."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recommendations.core.actions import LimitPer, PagePrice, PinOrder, RuleAction
from recommendations.core.objectives import Objective, Weights
from recommendations.core.strategies import BOUGHT_DAYS, STRATEGIES, strategy_choices
from recommendations.exceptions import InvalidQuery
from recommendations.filters import language
from tracking.models import Site

REPEATABLE: Final = 'attributes.repeatable in ("true", "yes", "1")'
"""A shop that says in its feed what is used up need not say it in each placement."""


def validate_condition(text: str) -> None:
    """Refuse a condition on items that is not in the language of ``recommendations.filters.language``."""
    try:
        language.parse(text)
    except InvalidQuery as error:
        raise ValidationError(_("The condition %(reason)s."), params={"reason": error.reason}) from error


def validate_rule_condition(text: str) -> None:
    """Refuse a condition of a rule that is not in the language; it may compare with the item of the page."""
    try:
        language.parse(text, allows_page=True)
    except InvalidQuery as error:
        raise ValidationError(_("The condition %(reason)s."), params={"reason": error.reason}) from error


def validate_parts(value: Any) -> None:
    """Refuse anything but a list of further actions, as ``pipeline.rules.base.RulePart`` holds them."""
    if not isinstance(value, list) or not all(isinstance(part, dict) and part.get("action") for part in value):
        raise ValidationError(_("Give a list of actions, each with its name and its items."))


def validate_words(value: Any) -> None:
    """Refuse anything but a list of texts."""
    if not isinstance(value, list) or not all(isinstance(word, str) and 0 < len(word) <= 500 for word in value):
        raise ValidationError(_("Give a list of texts of at most 500 characters each."))
    if len(value) > 5000:
        raise ValidationError(_("%(count)s entries are too many; the most is 5,000."), params={"count": len(value)})


def _words(help_text: Any) -> models.JSONField[Any, Any]:
    return models.JSONField(default=list, blank=True, validators=[validate_words], help_text=help_text)


WEIGHT_FIELDS: Final = tuple(f"weight_{objective.value}" for objective in Objective)
"""The fields of a placement, and of an arm, that weigh what a list is ordered for."""


def weight_field(name: Any, **empty: Any) -> models.PositiveSmallIntegerField[Any, Any]:
    """Return a weight of an objective beside the others; ``core.objectives`` says what they are."""
    return models.PositiveSmallIntegerField(name, validators=[MaxValueValidator(100)], **empty)


def weights_of(row: models.Model) -> Weights:
    """Return what ``WEIGHT_FIELDS`` of a row say; one that is 0, or empty, is left out."""
    weights = (
        (objective.value, float(getattr(row, field) or 0))
        for objective, field in zip(Objective, WEIGHT_FIELDS, strict=True)
    )
    return tuple((name, weight) for name, weight in weights if weight)


class Placement(models.Model):
    """A named slot on a page: which strategy fills it, and how. What is saved is served within two seconds."""

    class Repeats(models.TextChoices):
        ALLOW = "allow", gettext_lazy("may show what was seen")
        HIDE_SEEN = "hide_seen", gettext_lazy("hide what was seen in this session")
        HIDE_PURCHASED = "hide_purchased", gettext_lazy("hide whatever was bought, however long ago")

    class Fallback(models.TextChoices):
        POPULAR = "popular", gettext_lazy("fill up with popular items")
        EDITORIAL = "editorial", gettext_lazy("fill up with the items named below")
        EMPTY = "empty", gettext_lazy("rather show fewer items")

    class Layout(models.TextChoices):
        GRID = "grid", gettext_lazy("a grid")
        CAROUSEL = "carousel", gettext_lazy("a carousel")

    class Window(models.TextChoices):
        HOUR = "1h", gettext_lazy("the last hour")
        DAY = "24h", gettext_lazy("the last day")
        WEEK = "7d", gettext_lazy("the last week")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="placements")
    name = models.CharField(
        max_length=64,
        validators=[
            RegexValidator(r"^[a-z][a-z0-9_]{0,63}$", gettext_lazy("Use lower-case letters, digits and underscores."))
        ],
        help_text=gettext_lazy("The name that the shop's pages use, such as home_for_you."),
    )
    heading = models.CharField(
        max_length=200, blank=True, help_text=gettext_lazy("Heading that the widget shows unless the page gives one.")
    )
    layout = models.CharField(
        max_length=16,
        choices=Layout.choices,
        blank=True,
        default="",
        db_default="",
        help_text=gettext_lazy("How the widget lays its cards out unless the page says; empty: a grid."),
    )
    strategy = models.CharField(max_length=32, choices=strategy_choices(), default="for_you")
    segment_strategies = models.JSONField(
        default=dict,
        blank=True,
        help_text=gettext_lazy('Another strategy for shoppers of a segment, such as {"champions": "buy_again"}.'),
    )
    sources = _words(gettext_lazy("Candidate sources to use; empty: those that suit the strategy."))
    condition = models.CharField(
        gettext_lazy("only items that match"),
        max_length=language.MAX_LENGTH,
        blank=True,
        validators=[validate_condition],
        help_text=gettext_lazy('Such as price < 50 and category under "Shoes". Empty: every item.'),
    )
    size = models.PositiveSmallIntegerField(
        default=8,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=gettext_lazy("Items a list holds unless the page asks for fewer."),
    )
    repeats = models.CharField(max_length=32, choices=Repeats.choices, default=Repeats.ALLOW)
    hides_cart = models.BooleanField(
        gettext_lazy("hide what is in the cart"),
        default=True,
        help_text=gettext_lazy("The cart of the page and that of the shopper's profile."),
    )
    bought_days = models.PositiveSmallIntegerField(
        gettext_lazy("hide what was bought, days"),
        default=BOUGHT_DAYS,
        validators=[MaxValueValidator(3_650)],
        help_text=gettext_lazy(
            "So many days after it was bought an item may come again, in any size or colour. 0: at once."
        ),
    )
    repeatable = models.CharField(
        gettext_lazy("but not items that match"),
        max_length=language.MAX_LENGTH,
        blank=True,
        default=REPEATABLE,
        validators=[validate_condition],
        help_text=gettext_lazy('What is used up and bought again, such as category under "Coffee". Empty: nothing.'),
    )
    window = models.CharField(
        max_length=3, choices=Window.choices, default=Window.DAY, help_text=gettext_lazy("What trending counts.")
    )
    diversity = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(100)],
        help_text=gettext_lazy("0: by score alone. 100: as different from each other as can be."),
    )
    max_per_category = models.PositiveSmallIntegerField(default=0, help_text=gettext_lazy("0: no limit."))
    max_per_brand = models.PositiveSmallIntegerField(default=0, help_text=gettext_lazy("0: no limit."))
    exploration = models.PositiveSmallIntegerField(
        gettext_lazy("share for new items"),
        default=0,
        validators=[MaxValueValidator(50)],
        help_text=gettext_lazy(
            "Percent of the positions below the first that show an item of the last 30 days, by chance. 0: none."
        ),
    )
    weight_click = weight_field(gettext_lazy("clicks"), default=0, db_default=0)
    weight_cart = weight_field(gettext_lazy("add-to-carts"), default=0, db_default=0)
    weight_purchase = weight_field(gettext_lazy("purchases"), default=0, db_default=0)
    weight_revenue = weight_field(gettext_lazy("revenue"), default=0, db_default=0)
    weight_margin = weight_field(gettext_lazy("margin"), default=0, db_default=0)
    fallback = models.CharField(
        max_length=16,
        choices=Fallback.choices,
        default=Fallback.POPULAR,
        help_text=gettext_lazy("When there are too few items, or a part of the system is unavailable."),
    )
    editorial_items = _words(gettext_lazy("Ids of items to fall back on, in order."))
    is_active = models.BooleanField(default=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["site", "name"]
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="one_placement_name_per_site")]

    def __str__(self) -> str:
        return self.name

    @property
    def objectives(self) -> Weights:
        """What its lists are ordered for; none for the order that was learnt."""
        return weights_of(self)

    def clean(self) -> None:
        """Refuse strategies that do not exist."""
        known = set(STRATEGIES)
        if not isinstance(self.segment_strategies, dict):
            raise ValidationError({"segment_strategies": _('Give pairs, such as {"champions": "buy_again"}.')})
        unknown = [each for each in self.segment_strategies.values() if each not in known]
        if unknown:
            raise ValidationError(
                {
                    "segment_strategies": _("%(unknown)s is not one of %(sorted)s.")
                    % {"unknown": f"{unknown[0]!r}", "sorted": ", ".join(sorted(known))}
                }
            )


class Campaign(models.Model):
    """Rules that begin, end and are switched together, such as a sale. What is saved holds within two seconds."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="campaigns")
    name = models.CharField(max_length=100, help_text=gettext_lazy("Such as “Summer sale”. Only staff see it."))
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    is_on = models.BooleanField(
        gettext_lazy("switched on"),
        default=True,
        help_text=gettext_lazy("Off: none of its rules is served, and they stay published."),
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["site", "name"]
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="one_campaign_name_per_site")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a campaign that ends before it begins."""
        if self.starts_at and self.ends_at and self.starts_at >= self.ends_at:
            raise ValidationError({"ends_at": _("Is not after the start; choose a later time, or leave it empty.")})


class RecalledItem(models.Model):
    """An item that no list of any kind shows, until it is released: a safety recall, a wrong price, a legal claim."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="recalled_items")
    item_id = models.CharField(
        gettext_lazy("item id (SKU)"),
        max_length=128,
        help_text=gettext_lazy("Of an item, or of a product with variants."),
    )
    reason = models.CharField(max_length=300, blank=True, help_text=gettext_lazy("Such as “safety recall, batch 7”."))
    author = models.CharField(max_length=150, blank=True, editable=False)
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["site", "-at"]
        constraints = [models.UniqueConstraint(fields=["site", "item_id"], name="one_recall_per_item")]

    def __str__(self) -> str:
        return self.item_id


class Rule(models.Model):
    """What a merchandiser wants of some items. Only what was published is served; edits are a draft until then."""

    class Shoppers(models.TextChoices):
        ALL = "all", gettext_lazy("all shoppers")
        NEW = "new", gettext_lazy("new shoppers")
        RETURNING = "returning", gettext_lazy("returning shoppers")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="rules")
    name = models.CharField(max_length=100)
    placements = models.ManyToManyField(
        Placement, blank=True, related_name="rules", help_text=gettext_lazy("None chosen: every placement.")
    )
    action = models.CharField(max_length=16, choices=RuleAction.choices(), default=RuleAction.BOOST.value)
    strength = models.FloatField(
        default=2.0,
        validators=[MinValueValidator(1.0), MaxValueValidator(100.0)],
        help_text=gettext_lazy("For move up and down: how many times the item's score counts, or is divided."),
    )
    position = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=gettext_lazy("For pin: rank of the first item; further ones follow it."),
    )
    pin_count = models.PositiveSmallIntegerField(
        gettext_lazy("how many"),
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
        help_text=gettext_lazy("For a pin of what matches: so many items."),
    )
    pin_order = models.CharField(
        gettext_lazy("which first"),
        max_length=16,
        choices=PinOrder.choices(),
        default=PinOrder.NEWEST.value,
        help_text=gettext_lazy("For a pin of what matches: which of them come first."),
    )
    at_most = models.PositiveSmallIntegerField(
        default=2,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=gettext_lazy("For a limit: so many of what matches, in a list."),
    )
    per = models.CharField(
        gettext_lazy("of each"),
        max_length=16,
        choices=LimitPer.choices(),
        default=LimitPer.BRAND.value,
        help_text=gettext_lazy("For a limit."),
    )
    replacements = _words(gettext_lazy("Ids of items to show instead, in order."))
    items = _words(gettext_lazy("Ids of items."))
    categories = _words(gettext_lazy("Categories, by name or by path such as Women > Shoes."))
    brands = _words(gettext_lazy("Brands."))
    tags = _words(gettext_lazy("Tags."))
    price_from = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.0)])
    price_to = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.0)])
    stock_from = models.IntegerField(null=True, blank=True)
    stock_to = models.IntegerField(null=True, blank=True)
    condition = models.CharField(
        gettext_lazy("and items that match"),
        max_length=language.MAX_LENGTH,
        blank=True,
        validators=[validate_rule_condition],
        help_text=gettext_lazy("A condition in the filter language, for what the fields above cannot say."),
    )
    same = _words(gettext_lazy("Attributes in which an item is like the item of the page, such as brand."))
    page_price = models.CharField(
        gettext_lazy("price, beside the item of the page"),
        max_length=16,
        choices=PagePrice.choices(),
        blank=True,
        default="",
    )
    page_price_percent = models.FloatField(
        gettext_lazy("percent"),
        default=20.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(100.0)],
        help_text=gettext_lazy("For a price within so many percent of that of the page's item."),
    )
    also = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_parts],
        help_text=gettext_lazy("Further actions for the same users and pages."),
    )
    campaign = models.ForeignKey(
        Campaign,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="rules",
        help_text=gettext_lazy("Begins, ends and is switched with it."),
    )
    devices = _words(gettext_lazy("Only on these devices; empty: any."))
    locales = _words(gettext_lazy("Only in these languages, such as de or de-AT; empty: any."))
    countries = _words(gettext_lazy("Only in these countries, such as AT; empty: any."))
    campaigns = _words(
        gettext_lazy("Only for visitors who came by one of these ad campaigns (utm_campaign); empty: any.")
    )
    queries = _words(gettext_lazy("Only for searches with the words of one of these; empty: any."))
    pages = _words(gettext_lazy("Only on pages of these kinds, or below these paths; empty: any."))
    segments = _words(gettext_lazy("Only for shoppers of these segments; empty: any."))
    shoppers = models.CharField(max_length=16, choices=Shoppers.choices, default=Shoppers.ALL)
    context_condition = models.CharField(
        gettext_lazy("only on pages of items that match"),
        max_length=language.MAX_LENGTH,
        blank=True,
        validators=[validate_condition],
        help_text=gettext_lazy('The item whose page it is, such as category under "Cameras". Empty: any page.'),
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    priority = models.SmallIntegerField(
        default=0, help_text=gettext_lazy("Where rules disagree, the higher one wins: for pins the rank, else include.")
    )
    published = models.JSONField(
        null=True, blank=True, editable=False, help_text=gettext_lazy("The rule as it is served; empty: it is not.")
    )
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(
        max_length=150, blank=True, editable=False, help_text=gettext_lazy("Who saved the form last.")
    )
    revision = models.PositiveIntegerField(
        default=0, editable=False, help_text=gettext_lazy("Rises with each change of the form.")
    )

    class Meta:
        ordering = ["site", "-priority", "name"]
        permissions = [("publish_rule", "Can publish and withdraw rules")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a rule that cannot mean anything."""
        if self.price_from is not None and self.price_to is not None and self.price_from > self.price_to:
            raise ValidationError(
                {
                    "price_to": _("Is less than the price from %(price_from)s; give more, or empty one of the two.")
                    % {"price_from": f"{self.price_from:g}"}
                }
            )
        if self.starts_at and self.ends_at and self.starts_at >= self.ends_at:
            raise ValidationError({"ends_at": _("Is not after the start; choose a later time, or leave it empty.")})
        if self.action == RuleAction.PIN and not self.has_target:
            raise ValidationError(
                {"items": _("Name the items to pin, or below what they have in common, such as a tag.")}
            )
        if self.action == RuleAction.REPLACE and not self.replacements:
            raise ValidationError({"replacements": _("Name the items to show instead.")})
        if self.action in (RuleAction.EXCLUDE, RuleAction.INCLUDE_ONLY, RuleAction.REPLACE) and not self.has_target:
            raise ValidationError(
                _(
                    "Name the targets, by item id, category, brand, tag, price, stock or condition: without a "
                    "target this would touch every item."
                )
            )

    @property
    def has_target(self) -> bool:
        """Whether the rule names any items at all."""
        limits = (self.price_from, self.price_to, self.stock_from, self.stock_to)
        return bool(
            self.items
            or self.categories
            or self.brands
            or self.tags
            or self.condition
            or self.same
            or self.page_price
            or any(limit is not None for limit in limits)
        )


class RuleVersion(models.Model):
    """A rule as it was published, or that it was withdrawn or deleted; stays when the rule goes."""

    class Kind(models.TextChoices):
        PUBLISHED = "published", gettext_lazy("published")
        WITHDRAWN = "withdrawn", gettext_lazy("withdrawn")
        DELETED = "deleted", gettext_lazy("deleted")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="rule_versions")
    rule_number = models.BigIntegerField(help_text=gettext_lazy("The id of the rule, which may be deleted since."))
    number = models.PositiveIntegerField(help_text=gettext_lazy("From 1 for each rule."))
    kind = models.CharField(max_length=16, choices=Kind.choices)
    name = models.CharField(max_length=100)
    document = models.JSONField(null=True, help_text=gettext_lazy("The rule as it was served."))
    author = models.CharField(max_length=150, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["rule_number", "number"]
        constraints = [models.UniqueConstraint(fields=["rule_number", "number"], name="one_number_a_rule_version")]

    def __str__(self) -> str:
        return _("%(self)s, version %(number)s") % {"self": self.name, "number": self.number}
