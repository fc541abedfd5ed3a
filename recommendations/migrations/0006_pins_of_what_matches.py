"""Pins of what matches: how many, and which first."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    """Additive: two columns with defaults."""

    dependencies = [("recommendations", "0005_rule_versions")]

    operations = [
        migrations.AddField(
            model_name="rule",
            name="pin_count",
            field=models.PositiveSmallIntegerField(
                default=3,
                help_text="For a pin of what matches: so many items.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(20),
                ],
                verbose_name="how many",
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="pin_order",
            field=models.CharField(
                choices=[
                    ("newest", "newest"),
                    ("popular", "most popular"),
                    ("cheapest", "cheapest"),
                    ("dearest", "most expensive"),
                ],
                default="newest",
                help_text="For a pin of what matches: which of them come first.",
                max_length=16,
                verbose_name="which first",
            ),
        ),
    ]
