"""Versions of published rules, and what tells two editors of one rule of each other."""

from typing import Any

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


def keep_what_is_published(apps: Any, schema_editor: Any) -> None:
    """Make what is served now the first version of each rule."""
    rules = apps.get_model("recommendations", "Rule").objects.filter(published__isnull=False)
    version = apps.get_model("recommendations", "RuleVersion")
    version.objects.bulk_create(
        version(
            site_id=rule.site_id, rule_number=rule.pk, number=1, kind="published", name=rule.name,
            document=rule.published, at=rule.published_at or django.utils.timezone.now(),
        )
        for rule in rules.iterator()
    )  # fmt: skip


class Migration(migrations.Migration):
    """Additive: two columns with defaults and a table."""

    dependencies = [("tracking", "0002_site_time_zone"), ("recommendations", "0004_count_products")]

    operations = [
        migrations.AddField(
            model_name="rule",
            name="revision",
            field=models.PositiveIntegerField(
                default=0, editable=False, help_text="Rises with each change of the form."
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="updated_by",
            field=models.CharField(blank=True, editable=False, help_text="Who saved the form last.", max_length=150),
        ),
        migrations.CreateModel(
            name="RuleVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "rule_number",
                    models.BigIntegerField(help_text="The id of the rule, which may be deleted since."),
                ),
                ("number", models.PositiveIntegerField(help_text="From 1 for each rule.")),
                (
                    "kind",
                    models.CharField(
                        choices=[("published", "published"), ("withdrawn", "withdrawn"), ("deleted", "deleted")],
                        max_length=16,
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("document", models.JSONField(help_text="The rule as it was served.", null=True)),
                ("author", models.CharField(blank=True, max_length=150)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="rule_versions", to="tracking.site"
                    ),
                ),
            ],
            options={
                "ordering": ["rule_number", "number"],
                "constraints": [
                    models.UniqueConstraint(fields=("rule_number", "number"), name="one_number_a_rule_version")
                ],
            },
        ),
        migrations.RunPython(keep_what_is_published, migrations.RunPython.noop),
    ]
