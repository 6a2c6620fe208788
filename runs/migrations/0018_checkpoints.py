"""Checkpoints of runs, in parts, and what there is to say of them with an attempt."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


def store_parts_plainly(apps, schema_editor):
    """Spare PostgreSQL the try to compress floating point numbers."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE runs_checkpointpart ALTER COLUMN data SET STORAGE EXTERNAL")


class Migration(migrations.Migration):

    dependencies = [
        ("runs", "0017_run_control"),
    ]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="note",
            field=models.TextField(
                blank=True,
                default="",
                help_text="Why it did not go on from a checkpoint, or why none is kept; else empty.",
            ),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                ("run", models.OneToOneField(
                    on_delete=django.db.models.deletion.CASCADE, primary_key=True,
                    related_name="checkpoint", serialize=False, to="runs.run",
                )),
                ("number", models.PositiveBigIntegerField(
                    help_text="Names its parts; the next one's is greater."
                )),
                ("step", models.PositiveBigIntegerField(
                    help_text="Up to this one everything of the run is stored."
                )),
                ("size", models.PositiveBigIntegerField(help_text="Bytes of all parts.")),
                ("origin", models.JSONField(
                    help_text="What its bytes depend on: engine, NumPy, tier, isa, data."
                )),
                ("health", models.CharField(
                    help_text="Hash of the health rules that watched the run.", max_length=12
                )),
                ("summary", models.JSONField(help_text="The run's summary at this step.")),
                ("saved_at", models.DateTimeField(
                    db_default=django.db.models.functions.datetime.Now(), editable=False
                )),
            ],
        ),
        migrations.CreateModel(
            name="CheckpointPart",
            fields=[
                ("pk", models.CompositePrimaryKey(
                    "run_id", "number", "part",
                    blank=True, editable=False, primary_key=True, serialize=False,
                )),
                ("number", models.PositiveBigIntegerField(help_text="Of the checkpoint.")),
                ("part", models.PositiveIntegerField(help_text="0, 1, ... in the order of the bytes.")),
                ("data", models.BinaryField()),
                ("run", models.ForeignKey(
                    db_index=False, on_delete=django.db.models.deletion.CASCADE,
                    related_name="checkpoint_parts", to="runs.run",
                )),
            ],
        ),
        migrations.RunPython(store_parts_plainly, migrations.RunPython.noop),
    ]
