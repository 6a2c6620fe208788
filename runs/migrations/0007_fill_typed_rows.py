"""Give the runs of earlier versions their typed rows: what the runs table now sorts and filters by."""

from __future__ import annotations

from django.db import migrations

from runs.store.params import flattened

RUNS_AT_ONCE = 500
METRICS = """
INSERT INTO runs_runmetric (run_id, name_id, project_id, last, minimum, maximum)
SELECT series.run_id, name.id, run.project_id, series.last, series.minimum, series.maximum
FROM runs_series AS series
JOIN runs_run AS run ON run.id = series.run_id
JOIN runs_name AS name ON name.text = series.metric
WHERE series.layer IS NULL AND series.run_id BETWEEN %s AND %s
"""


def fill(apps, schema_editor) -> None:
    """Write parameters from the configurations and metrics from the series, some runs at a time."""
    Run, Series = apps.get_model("runs", "Run"), apps.get_model("runs", "Series")
    ids = _named(apps, Series.objects.filter(layer=None).order_by().values_list("metric", flat=True).distinct())
    reached = 0
    while runs := list(Run.objects.filter(pk__gt=reached).order_by("pk").only("project", "config")[:RUNS_AT_ONCE]):
        first, reached = runs[0].pk, runs[-1].pk
        flat = [(run, flattened(run.config)) for run in runs]
        ids |= _named(apps, {name for _, params in flat for name in params} - ids.keys())
        RunParam = apps.get_model("runs", "RunParam")
        RunParam.objects.bulk_create(
            RunParam(run_id=run.pk, project_id=run.project_id, name_id=ids[name], number=number, text=text)
            for run, params in flat
            for name, (number, text) in params.items()
        )
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(METRICS, [first, reached])


def _named(apps, texts) -> dict[str, int]:
    Name = apps.get_model("runs", "Name")
    return {text: Name.objects.get_or_create(text=text)[0].pk for text in sorted(texts)}


def empty(apps, schema_editor) -> None:
    """Remove the typed rows; the configurations and series still say all of it."""
    for model in ("RunMetric", "RunParam", "Name"):
        apps.get_model("runs", model).objects.all().delete()


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0006_run_purge_began_at'),
    ]

    operations = [
        migrations.RunPython(fill, empty),
    ]
