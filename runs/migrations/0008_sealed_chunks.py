from itertools import groupby

from django.db import migrations, models
from django.db.models import deletion

from nnlab.series.codec import decode_steps

BATCH = 200


def seal(apps, schema_editor):
    """Count the points before each chunk, and leave regular steps out."""
    old, new = apps.get_model("runs", "OldChunk"), apps.get_model("runs", "Chunk")
    rows = old.objects.order_by("run_id", "series_number", "sequence").iterator(chunk_size=BATCH)
    made = []
    for (run_id, number), chunks in groupby(rows, key=lambda row: (row.run_id, row.series_number)):
        start = 0
        for chunk in chunks:
            made.append(
                new(
                    run_id=run_id,
                    series_number=number,
                    start=start,
                    points=chunk.points,
                    first_step=chunk.first_step,
                    last_step=chunk.last_step,
                    steps=None if is_regular(chunk) else chunk.steps,
                    data=chunk.values,
                )
            )
            start += chunk.points
            if len(made) >= BATCH:
                new.objects.bulk_create(made)
                made = []
    new.objects.bulk_create(made)


def is_regular(chunk):
    steps = decode_steps(bytes(chunk.steps))
    gaps = steps[1:] - steps[:-1]
    return len(gaps) == 0 or bool((gaps == gaps[0]).all())


def store_blobs_plainly(apps, schema_editor):
    """Spare PostgreSQL a second compression, and let it sweep the journal, whose rows live for seconds."""
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, column in (("chunk", "data"), ("chunk", "steps"), ("pyramid", "data"), ("journal", "batch")):
        schema_editor.execute(f"ALTER TABLE runs_{table} ALTER COLUMN {column} SET STORAGE EXTERNAL")
    settings = "autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000"
    schema_editor.execute(f"ALTER TABLE runs_journal SET ({settings})")
    for table in ("ledger", "series"):
        schema_editor.execute(f"ALTER TABLE runs_{table} SET (fillfactor = 50)")  # rows that change in place


class Migration(migrations.Migration):

    dependencies = [
        ("runs", "0007_fill_typed_rows"),
    ]

    operations = [
        migrations.AddField(
            model_name="ledger",
            name="carried_points",
            field=models.PositiveBigIntegerField(
                default=0, help_text="Those among them that the last fold left for the next."
            ),
        ),
        migrations.RemoveField(model_name="pyramid", name="buckets"),
        migrations.AddField(
            model_name="pyramid",
            name="data",
            field=models.BinaryField(default=b"", help_text="The buckets."),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="series", name="metric", field=models.CharField(max_length=250)
        ),
        migrations.AlterField(
            model_name="series", name="points", field=models.PositiveBigIntegerField(default=0)
        ),
        migrations.AlterField(model_name="series", name="first_step", field=models.BigIntegerField(null=True)),
        migrations.AlterField(model_name="series", name="last_step", field=models.BigIntegerField(null=True)),
        migrations.AddField(model_name="series", name="minimum_step", field=models.BigIntegerField(null=True)),
        migrations.AddField(model_name="series", name="maximum_step", field=models.BigIntegerField(null=True)),
        migrations.RenameModel("Chunk", "OldChunk"),
        migrations.CreateModel(
            name="Chunk",
            fields=[
                ("run", models.ForeignKey(
                    db_index=False, on_delete=deletion.CASCADE, related_name="chunks", to="runs.run"
                )),
                ("pk", models.CompositePrimaryKey(
                    "run_id", "series_number", "start",
                    blank=True, editable=False, primary_key=True, serialize=False,
                )),
                ("series_number", models.PositiveIntegerField()),
                ("start", models.PositiveBigIntegerField(help_text="Points of the series before the chunk.")),
                ("points", models.PositiveIntegerField()),
                ("first_step", models.BigIntegerField()),
                ("last_step", models.BigIntegerField()),
                ("steps", models.BinaryField(help_text="Empty where they are regular.", null=True)),
                ("data", models.BinaryField(help_text="The values.")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["run", "series_number", "first_step"], name="chunk_by_step")
                ],
            },
        ),
        migrations.RunPython(seal, migrations.RunPython.noop, elidable=True),
        migrations.DeleteModel("OldChunk"),
        migrations.RunPython(store_blobs_plainly, migrations.RunPython.noop),
    ]
