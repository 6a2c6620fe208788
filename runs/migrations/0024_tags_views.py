import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now

import runs.models.views
from runs.models.durations import Seconds
from runs.models.views import new_short


def tell_where(apps, schema_editor):
    """Views were of the runs table only, and had no short link."""
    view = apps.get_model("runs", "SavedView")
    for row in view.objects.select_related("project").iterator():
        row.path, row.short = f"/p/{row.project.slug}/", new_short()
        row.save(update_fields=["path", "short"])


class Migration(migrations.Migration):

    dependencies = [
        ("runs", "0023_tallies"),
    ]

    operations = [
        migrations.CreateModel(
            name="RunTag",
            fields=[
                ("pk", models.CompositePrimaryKey("run_id", "name_id", blank=True, editable=False, primary_key=True, serialize=False)),
                ("run", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="tags", to="runs.run")),
                ("name", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="runs.name")),
                ("project", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="runs.project")),
            ],
            options={
                "indexes": [models.Index(fields=["project", "name", "run"], name="tag_by_project")],
            },
        ),
        migrations.AddField(
            model_name="project",
            name="baseline",
            field=models.ForeignKey(blank=True, editable=False, help_text="The pinned run, that the others are measured against.", null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="runs.run"),
        ),
        migrations.AddField(
            model_name="run",
            name="archived_at",
            field=models.DateTimeField(editable=False, help_text="Out of the way since then, with all it has; not deleted.", null=True),
        ),
        migrations.RemoveIndex(model_name="run", name="run_table"),
        migrations.RemoveIndex(model_name="run", name="run_took"),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(condition=models.Q(("archived_at__isnull", False)), fields=["project", "-id"], name="run_archived"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["project", "deleted_at", "-id", "archived_at", "group", "headline", "name", "sweep", "status", "stop_reason", "score", "dataset", "depth", "width", "activation", "dropout", "optimizer", "learning_rate", "seed", "parameters", "started_at", "ended_at"], name="run_table"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(models.F("project"), Seconds("ended_at", "started_at"), models.F("id"), condition=models.Q(("archived_at", None), ("deleted_at", None)), name="run_took"),
        ),
        migrations.RemoveConstraint(model_name="savedfilter", name="saved_filter_is_named_once"),
        migrations.RenameModel("SavedFilter", "SavedView"),
        migrations.AlterModelOptions(name="savedview", options={"ordering": ["name", "pk"]}),
        migrations.AddField(
            model_name="savedview",
            name="path",
            field=models.CharField(default="", help_text="Address of the page.", max_length=200),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="savedview",
            name="short",
            field=models.CharField(editable=False, max_length=12, null=True),
        ),
        migrations.AddField(
            model_name="savedview",
            name="opened_at",
            field=models.DateTimeField(db_default=Now(), editable=False, help_text="Last followed, about."),
        ),
        migrations.AlterField(
            model_name="savedview",
            name="project",
            field=models.ForeignKey(blank=True, help_text="Empty for a page of all projects, such as the alerts.", null=True, on_delete=django.db.models.deletion.CASCADE, related_name="saved_views", to="runs.project"),
        ),
        migrations.AlterField(
            model_name="savedview",
            name="name",
            field=models.CharField(blank=True, help_text="Empty for a mere short link.", max_length=60),
        ),
        migrations.AlterField(
            model_name="savedview",
            name="query",
            field=models.TextField(blank=True, help_text="The address's query in canonical form, without its question mark."),
        ),
        migrations.RunPython(tell_where, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            model_name="savedview",
            name="short",
            field=models.CharField(default=runs.models.views.new_short, editable=False, max_length=12, unique=True),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(condition=models.Q(("name", ""), _negated=True), fields=("project", "name"), name="saved_view_is_named_once"),
        ),
        migrations.AddIndex(
            model_name="savedview",
            index=models.Index(condition=models.Q(("name", ""), _negated=True), fields=["-opened_at"], name="saved_view_opened"),
        ),
    ]
