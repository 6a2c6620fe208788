from django.db import migrations, models

from runs.models.durations import Seconds


class Migration(migrations.Migration):

    dependencies = [
        ("runs", "0010_pages_of_series"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                models.F("project"),
                Seconds("ended_at", "started_at"),
                models.F("id"),
                condition=models.Q(("deleted_at", None)),
                name="run_took",
            ),
        ),
    ]
