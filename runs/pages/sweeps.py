"""The form of a new sweep: empty, as a copy of a run, or with an alert's advice followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.forms import BoundField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from nnlab.data.config import DataConfig
from nnlab.engine.config import TrainingConfig
from runs import submission
from runs.estimating.estimate import estimate
from runs.forms.submission import FOLDED, SEARCH, SweepForm
from runs.models import Alert, Project, Run, Source
from runs.pages.frame import needs, render_page, signed_in
from runs.pages.previews import preview
from runs.pages.selection import run_numbers
from runs.preflight import forecast
from runs.submitted.specification import SubmissionError

_USUAL = {"momentum": TrainingConfig.momentum, "first_seed": TrainingConfig.seed, "noise": DataConfig.noise}


@require_http_methods(["GET", "POST"])
@needs("runs.submit_sweep")
def new(request: HttpRequest) -> HttpResponse:
    """Show the form, count what it asks for, or submit it."""
    source, changes, notes = _source(request)
    initial = SweepForm.initial_from(source, changes) if source else _initial(request)
    if source and changes:
        initial["name"] = f"Run {source.pk}: {notes[0].partition(':')[0]}"[:100]
    form = SweepForm(request.POST or None, initial=initial)
    counted = found = cost = None
    if form.is_valid() and form.specification is not None:
        if "preview" in request.POST:
            counted, found = preview(form.specification, source), forecast(form.specification)
            cost = estimate(form.specification)
        else:
            try:
                return _submitted(request, form, source)
            except SubmissionError as error:
                for field, texts in error.errors.items():
                    form.add_error(field if field in form.fields else None, texts)
    context = {
        "form": form,
        "source": source,
        "changes": changes,
        "notes": notes,
        "preview": counted,
        "found": found,
        "cost": cost,
        "folded": (SEARCH, FOLDED),
        "open": [title for title in (SEARCH, FOLDED) if _is_open(form, title, changes)],
    }
    refused = form.is_bound and counted is None
    return render_page(request, "runs/sweep_new.html", context, status=400 if refused else 200)


def _is_open(form: SweepForm, title: str, changes: Mapping[str, Any]) -> bool:
    """Whether a field of a folded group was refused, advised, or holds something else than a new form's."""
    fields = dict(form.fieldsets)[title]
    return any(field.errors or field.name in changes or not _is_untouched(field) for field in fields)


def _is_untouched(field: BoundField) -> bool:
    """Whether a field is empty or as a copied run has it: a list of choices at its first one, for example."""
    value = field.value()
    if value in {None, ""}:
        return True
    choices = list(getattr(field.field, "choices", ()))
    return str(value) == str(choices[0][0] if choices else _USUAL.get(field.name))


def _submitted(request: HttpRequest, form: SweepForm, source: Run | None) -> HttpResponse:
    assert form.specification is not None  # noqa: S101 - for the type checker; the caller has looked
    sweep = submission.submit(form.specification, signed_in(request), parent=source)
    runs = list(sweep.runs.all()[:2])
    count = len(form.specification.runs)
    messages.success(request, f"{sweep.name}: {count} run{'' if count == 1 else 's'} queued.")
    for note in form.specification.shape.notes:
        messages.info(request, note)
    return redirect(runs[0] if len(runs) == 1 else sweep)


def _source(request: HttpRequest) -> tuple[Run | None, dict[str, Any], list[str]]:
    """Find the run to copy and the advice to follow; what cannot be found is said, and left out."""
    number = _number(request, "from")
    if number is None:
        return None, {}, []
    source = Run.objects.kept().select_related("project").filter(pk=number).first()
    if source is None:
        return None, {}, [f"There is no run {number} to copy; the form holds the defaults."]
    if source.source == Source.OUTSIDE:
        return None, {}, [f"Run {number} was trained by a program outside; the form holds the defaults."]
    if "advice" not in request.GET:
        return source, {}, []
    alert = Alert.objects.filter(run=source, pk=_number(request, "alert") or 0).first()
    place = _number(request, "advice")
    if alert is None or place is None or place >= len(alert.advice):
        return source, {}, ["The advice is no longer there; the form holds the run as it was."]
    advice = alert.advice[place]
    changes = {op["path"]: op["value"] for op in advice["ops"]}
    return source, changes, [f"{advice['title']}: {advice['reason']}"]


def _initial(request: HttpRequest) -> dict[str, Any]:
    project = Project.objects.filter(slug=request.GET.get("project", "").replace("\x00", "")).first()
    initial = {"project": project.name} if project else {}
    fields = ("dataset", "recipe", "validation_share", "split_seed")
    given = {name: request.GET.get(name, "").strip()[:100] for name in fields}
    return initial | {name: value for name, value in given.items() if value}


def _number(request: HttpRequest, name: str) -> int | None:
    numbers = run_numbers(request.GET.get(name, "")).numbers
    return numbers[0] if numbers else None
