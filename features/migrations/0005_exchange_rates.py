"""A table of dated exchange rates for each site."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("features", "0004_erased_spans"), ("tracking", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ExchangeRate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("currency", models.CharField(max_length=3)),
                ("worth_in", models.CharField(max_length=3)),
                ("rate", models.DecimalField(decimal_places=18, max_digits=28)),
                ("changed_at", models.DateTimeField(auto_now=True)),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="exchange_rates", to="tracking.site"
                    ),
                ),
            ],
            options={
                "ordering": ("-day", "currency", "worth_in"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=["site", "day", "currency", "worth_in"], name="one_rate_per_day_and_pair"
                    ),
                    models.CheckConstraint(condition=models.Q(("rate__gt", 0)), name="rate_above_zero"),
                ],
            },
        ),
    ]
