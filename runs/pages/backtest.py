"""The backtest of a project: other thresholds over its past runs."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST

from nnlab.health.thresholds import SHIPPED, THRESHOLDS
from nnlab.health.tuning import ThresholdError, tuned
from runs.backtest.comparing import Report, backtest, candidates
from runs.backtest.outcomes import RULE
from runs.models import Project
from runs.pages.frame import needs, render_page

RIGHT = "runs.submit_sweep"
MAX_RUNS = 200
USUAL_RUNS = 50
MAX_TEXT = 100_000  # characters
SECONDS = 10.0  # that a page may take; the command line takes what it needs
EXAMPLE = '{"checks": {"vanishing": {"open": 0.01}}}'


class BacktestForm(forms.Form):
    """Thresholds, typed or in a file, and how many runs."""

    thresholds = forms.CharField(
        max_length=MAX_TEXT,
        initial=EXAMPLE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="JSON of what differs from the shipped thresholds below; nothing: those themselves.",
    )
    file = forms.FileField(required=False, label="Or a file", help_text="It counts instead of what is typed.")
    runs = forms.IntegerField(
        label="Runs",
        initial=USUAL_RUNS,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_RUNS)],
        help_text=f"At most so many, the newest first; at most {MAX_RUNS}.",
    )

    def clean(self) -> dict[str, Any]:
        """Read the thresholds."""
        data = super().clean() or {}
        field = "file" if data.get("file") else "thresholds"
        try:
            text = _text(data["file"]) if field == "file" else data.get("thresholds", "")
            data["tuned"] = tuned(text or "{}")
        except ThresholdError as error:
            said = str(error)
            self.add_error(field, said[:1].upper() + said[1:])
        return data


@require_GET
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the form."""
    return _page(request, get_object_or_404(Project, slug=slug), BacktestForm())


@require_POST
@needs(RIGHT)
def replay(request: HttpRequest, slug: str) -> HttpResponse:
    """Replay the project's newest runs under the thresholds given."""
    project = get_object_or_404(Project, slug=slug)
    form = BacktestForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, project, form, status=400)
    chosen = candidates(slug)[: form.cleaned_data["runs"]]
    report = backtest(chosen, form.cleaned_data["tuned"], seconds=SECONDS)
    return _page(request, project, form, report)


def _text(file: UploadedFile[bytes]) -> str:
    if (file.size or 0) > MAX_TEXT:
        raise ThresholdError(f"expected a file of at most {MAX_TEXT:,} bytes, got {file.size:,}")
    try:
        return bytes(file.read()).decode()
    except UnicodeDecodeError as error:
        raise ThresholdError(f"expected JSON in UTF-8: {error}") from error


def _page(
    request: HttpRequest,
    project: Project,
    form: BacktestForm,
    report: Report | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    context = {
        "project": project,
        "form": form,
        "report": report,
        "rule": RULE,
        "candidates": candidates(project.slug).count(),
        "shipped": json.dumps(SHIPPED, sort_keys=True, indent=1),
        "shipped_hash": THRESHOLDS.hash,
    }
    return render_page(request, "runs/backtest.html", context, status=status)
