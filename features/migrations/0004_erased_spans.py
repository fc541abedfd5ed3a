"""Erasures keep the times that are gone, and name nobody without the installation's secret."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("features", "0003_foreign_catalogues")]

    operations = [
        migrations.AddField(
            model_name="erasure",
            name="spans",
            field=models.JSONField(
                default=list,
                help_text="First and last millisecond of each time that is gone; empty means all of it until then.",
            ),
        ),
        migrations.AlterField(
            model_name="erasure",
            name="user_hash",
            field=models.CharField(help_text="Keyed hash of site and user key.", max_length=64),
        ),
    ]
