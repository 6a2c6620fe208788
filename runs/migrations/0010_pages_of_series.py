from django.db import migrations, models


def fill_pages_of_series(apps, schema_editor):
    """Let PostgreSQL fill the pages of series: of a run that is over, half of each stood empty for ever."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE runs_series RESET (fillfactor)")


class Migration(migrations.Migration):

    dependencies = [
        ("runs", "0009_run_table_index"),
    ]

    operations = [
        migrations.RunPython(fill_pages_of_series, migrations.RunPython.noop),
        migrations.RemoveIndex(model_name="chunk", name="chunk_by_step"),
        migrations.AddIndex(
            model_name="chunk",
            index=models.Index(
                condition=models.Q(("start__gt", 0)),
                fields=["run", "series_number", "first_step"],
                name="chunk_by_step",
            ),
        ),
    ]
