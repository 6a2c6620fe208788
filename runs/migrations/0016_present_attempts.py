"""Give the runs that are being trained the attempt that is under way; what came before it was not kept."""

from django.db import migrations


def note_present_attempts(apps, schema_editor):
    Run, Attempt = apps.get_model("runs", "Run"), apps.get_model("runs", "Attempt")
    running = Run.objects.filter(status="running").values_list(
        "pk", "attempt", "worker", "tier", "isa", "started_at"
    )
    Attempt.objects.bulk_create(
        Attempt(
            run_id=run_id, number=max(1, attempt), process=worker, tier=tier, isa=isa, started_at=started_at
        )
        for run_id, attempt, worker, tier, isa, started_at in running
    )


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0015_attempts_and_workers"),
    ]

    operations = [
        migrations.RunPython(note_present_attempts, migrations.RunPython.noop),
    ]
