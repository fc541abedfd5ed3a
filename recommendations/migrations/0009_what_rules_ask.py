"""What rules ask of the page and the visit, further actions, campaigns and recalled items: additive."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import recommendations.models.merchandising
from django.db import migrations, models


class Migration(migrations.Migration):
    """Columns with defaults, and two tables."""

    dependencies = [
        ("recommendations", "0008_publish_right"),
        ("tracking", "0003_members_and_audit"),
    ]

    operations = [
        migrations.AddField(
            model_name="rule",
            name="also",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Further actions for the same users and pages.",
                validators=[recommendations.models.merchandising.validate_parts],
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="at_most",
            field=models.PositiveSmallIntegerField(
                default=2,
                help_text="For a limit: so many of what matches, in a list.",
                validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)],
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="campaigns",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Only for visitors who came by one of these ad campaigns (utm_campaign); empty: any.",
                validators=[recommendations.models.merchandising.validate_words],
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="countries",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Only in these countries, such as AT; empty: any.",
                validators=[recommendations.models.merchandising.validate_words],
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="devices",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Only on these devices; empty: any.",
                validators=[recommendations.models.merchandising.validate_words],
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="locales",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Only in these languages, such as de or de-AT; empty: any.",
                validators=[recommendations.models.merchandising.validate_words],
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="page_price",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "whatever that costs"),
                    ("within", "within so many percent of it"),
                    ("cheaper", "cheaper than it"),
                    ("dearer", "more expensive than it"),
                ],
                default="",
                max_length=16,
                verbose_name="price, beside the item of the page",
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="page_price_percent",
            field=models.FloatField(
                default=20.0,
                help_text="For a price within so many percent of that of the page's item.",
                validators=[
                    django.core.validators.MinValueValidator(0.0),
                    django.core.validators.MaxValueValidator(100.0),
                ],
                verbose_name="percent",
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="pages",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Only on pages of these kinds, or below these paths; empty: any.",
                validators=[recommendations.models.merchandising.validate_words],
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="per",
            field=models.CharField(
                choices=[("brand", "brand"), ("category", "category"), ("all", "list, all of them together")],
                default="brand",
                help_text="For a limit.",
                max_length=16,
                verbose_name="of each",
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="queries",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Only for searches with the words of one of these; empty: any.",
                validators=[recommendations.models.merchandising.validate_words],
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="replacements",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Ids of items to show instead, in order.",
                validators=[recommendations.models.merchandising.validate_words],
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="same",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Attributes in which an item is like the item of the page, such as brand.",
                validators=[recommendations.models.merchandising.validate_words],
            ),
        ),
        migrations.AlterField(
            model_name="rule",
            name="action",
            field=models.CharField(
                choices=[
                    ("pin", "Pin to a rank"),
                    ("boost", "Move up"),
                    ("bury", "Move down"),
                    ("exclude", "Never show"),
                    ("include_only", "Show nothing else"),
                    ("replace", "Show others instead"),
                    ("limit", "Show at most so many"),
                ],
                default="boost",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="rule",
            name="condition",
            field=models.CharField(
                blank=True,
                help_text="A condition in the filter language, for what the fields above cannot say.",
                max_length=2000,
                validators=[recommendations.models.merchandising.validate_rule_condition],
                verbose_name="and items that match",
            ),
        ),
        migrations.CreateModel(
            name="Campaign",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="Such as “Summer sale”. Only staff see it.", max_length=100)),
                ("starts_at", models.DateTimeField(blank=True, null=True)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                (
                    "is_on",
                    models.BooleanField(
                        default=True,
                        help_text="Off: none of its rules is served, and they stay published.",
                        verbose_name="switched on",
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="campaigns", to="tracking.site"
                    ),
                ),
            ],
            options={
                "ordering": ["site", "name"],
            },
        ),
        migrations.AddField(
            model_name="rule",
            name="campaign",
            field=models.ForeignKey(
                blank=True,
                help_text="Begins, ends and is switched with it.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="rules",
                to="recommendations.campaign",
            ),
        ),
        migrations.CreateModel(
            name="RecalledItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "item_id",
                    models.CharField(
                        help_text="Of an item, or of a product with variants.",
                        max_length=128,
                        verbose_name="item id (SKU)",
                    ),
                ),
                ("reason", models.CharField(blank=True, help_text="Such as “safety recall, batch 7”.", max_length=300)),
                ("author", models.CharField(blank=True, editable=False, max_length=150)),
                ("at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="recalled_items", to="tracking.site"
                    ),
                ),
            ],
            options={
                "ordering": ["site", "-at"],
            },
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.UniqueConstraint(fields=("site", "name"), name="one_campaign_name_per_site"),
        ),
        migrations.AddConstraint(
            model_name="recalleditem",
            constraint=models.UniqueConstraint(fields=("site", "item_id"), name="one_recall_per_item"),
        ),
    ]
