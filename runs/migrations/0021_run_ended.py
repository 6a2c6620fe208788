from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0020_limits")]

    operations = [
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                fields=["-ended_at", "-id"],
                name="run_ended",
                condition=models.Q(ended_at__isnull=False, deleted_at=None),
            ),
        ),
    ]
