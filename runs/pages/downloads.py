"""Downloads: a run's points as a CSV file, written while it is sent."""

from __future__ import annotations

from django.http import HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from runs import exporting
from runs.models import Run


@require_GET
def points(request: HttpRequest, run_id: int) -> StreamingHttpResponse:
    """Send every point of a run."""
    run = get_object_or_404(Run.objects.kept(), pk=run_id)
    answer = StreamingHttpResponse(exporting.csv_lines(run), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="run-{run.pk}.csv"'
    return answer
