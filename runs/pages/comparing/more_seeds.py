"""One click for more seeds: configurations that were run are submitted again with seeds that they lack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from runs import submission
from runs.models import Project, Run, Source, Sweep
from runs.pages.frame import needs, signed_in
from runs.pages.selection import run_numbers
from runs.pages.steering import back_to
from runs.retention import counted
from runs.submitted.specification import Specification, SubmissionError
from runs.submitted.values import MAX_LABEL

MAX_GROUPS = 20
MAX_NEW_SEEDS = 20


@require_POST
@needs("runs.submit_sweep")
def add(request: HttpRequest, slug: str) -> HttpResponse:
    """Submit groups of a project with further seeds; what is there already is not trained again."""
    project = get_object_or_404(Project, slug=slug)
    back = back_to(request, project.get_absolute_url())
    groups = list(dict.fromkeys(request.POST.getlist("group")))
    seeds = run_numbers(",".join(request.POST.getlist("seeds"))).numbers
    try:
        sweep = add_seeds(project, groups, seeds, signed_in(request))
    except SubmissionError as error:
        messages.error(request, f"No seeds were added: {error}")
    else:
        if sweep is None:
            messages.info(request, "These seeds were submitted before; nothing was added.")
        else:
            messages.success(request, f"{sweep.name}: {counted(sweep.runs.count())} queued.")
    return redirect(back)


def add_seeds(
    project: Project, groups: Sequence[str], seeds: Sequence[int], user: AbstractBaseUser | None
) -> Sweep | None:
    """Submit configurations again with more seeds, as one sweep; None where all of it is there.

    Two at once, as after a double click, come one after the other: the second finds the runs of the first.

    Args:
        groups: names of the configurations, ``Run.group``.
        seeds: that each of them is to have.

    Raises:
        SubmissionError: for a group that is not the project's or cannot be trained again, and for too many.
    """
    if not 1 <= len(groups) <= MAX_GROUPS:
        raise refused("group", f"expected 1 to {MAX_GROUPS} groups, got {len(groups)}")
    if not 1 <= len(seeds) <= MAX_NEW_SEEDS:
        raise refused("seeds", f"expected 1 to {MAX_NEW_SEEDS} seeds, got {len(seeds)}")
    runs = [newest_run(project, group) for group in groups]
    name = f"more seeds: {runs[0].name.partition(' seed ')[0]}" + (" and others" if len(runs) > 1 else "")
    specs = [_specification(run, seeds, name[:MAX_LABEL]) for run in runs]
    return submit_missing(project, list(zip(runs, specs, strict=True)), user)


def submit_missing(
    project: Project, wanted: Sequence[tuple[Run, Specification]], user: AbstractBaseUser | None
) -> Sweep | None:
    """Submit what is not there yet of several specifications as one sweep; None where all of it is.

    Args:
        wanted: each with the run that it comes from.
    """
    groups = {run.group for _, spec in wanted for run in spec.runs}
    seeds = {seed for _, spec in wanted for seed in spec.seeds}
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        runs = Run.objects.kept().filter(project=project, group__in=groups, seed__in=seeds)
        known = set(runs.values_list("group", "seed"))
        missing = [(run, spec) for run, all_of in wanted if (spec := _without(all_of, known)).runs]
        if not missing:
            return None
        if len(missing) == 1:
            run, spec = missing[0]
            return submission.submit(spec, user, parent=run)
        return submission.submit_together({f"as run {run.pk}": spec for run, spec in missing}, user)


def newest_run(project: Project, group: str) -> Run:
    """Return the run that stands for a configuration of the engine's.

    Raises:
        SubmissionError: for one that is not the project's, or that a program outside trained.
    """
    runs = Run.objects.kept().select_related("project").filter(project=project, group=group[:12])
    run = runs.order_by("-pk").first()
    if run is None:
        raise refused("group", f"this project has no group {group[:40]!r}; its runs may be in the trash")
    if run.source == Source.OUTSIDE:
        raise refused("group", f"run {run.pk} was trained by a program outside; only that can train more")
    return run


def _specification(run: Run, seeds: Sequence[int], name: str) -> Specification:
    spec = submission.parse({**submission.as_mapping(run), "name": name, "seeds": list(seeds)})
    if spec.runs[0].group != run.group:
        raise refused(
            "group",
            f"run {run.pk} was submitted to an older version, so that new seeds would not be of its group;"
            " clone it with all seeds instead",
        )
    return spec


def _without(spec: Specification, known: set[tuple[str, int | None]]) -> Specification:
    runs = tuple(run for run in spec.runs if (run.group, run.training.seed) not in known)
    return replace(spec, runs=runs, seeds=tuple(run.training.seed for run in runs))


def refused(field: str, message: str) -> SubmissionError:
    """Word a refusal as those of a submission are."""
    return SubmissionError({field: [f"{field}: {message}"]})
