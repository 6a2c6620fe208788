"""Datasets: what can be trained on, and where CSV files go."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from nnlab.data.catalogue import csv_names
from nnlab.data.catalogue import datasets as catalogue
from runs.pages.frame import render_page
from runs.reading.datasets import saved_versions
from runs.store.uploads import unfinished


@require_GET
def datasets(request: HttpRequest) -> HttpResponse:
    """Show the catalogue, the uploads and the CSV files of this installation."""
    context = {
        "uploads": saved_versions(),
        "unfinished": unfinished(request.user.pk),
        "datasets": catalogue().values(),
        "csv_names": csv_names(settings.CSV_FOLDER),
        "csv_folder": settings.CSV_FOLDER,
    }
    return render_page(request, "runs/datasets.html", context)
