"""The time zone in which people of a shop write the schedules of rules; UTC, as before, until one is chosen."""

from django.db import migrations, models

import tracking.models


class Migration(migrations.Migration):
    """One more column with a default."""

    dependencies = [("tracking", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="site",
            name="time_zone",
            field=models.CharField(
                default="UTC",
                help_text="In which the schedules of rules are shown and entered, such as Europe/Berlin.",
                max_length=64,
                validators=[tracking.models.validate_time_zone],
            ),
        ),
    ]
