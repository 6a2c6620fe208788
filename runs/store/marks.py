"""What people put on runs: tags, a place in the archive, and a project's baseline. None changes a run itself.

Each function changes only those runs on which something changes, and returns their numbers, so that who did
it can be offered to undo just that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models.functions import Now

from runs.models import OVER, Project, Run, RunTag
from runs.models.runs import RunQuerySet
from runs.models.tags import MAX_TAG
from runs.store.names import known_ids, name_ids

MAX_TAGS = 20  # of one run; and of one request
_BATCH = 900  # under SQLite's bound on the parameters of a query


class TagError(ValueError):
    """What cannot be a tag, and why."""


def read_tags(text: str) -> list[str]:
    """Read tags with commas between them.

    Raises:
        TagError: for none, too many, or one that a filter could not be written for.
    """
    found = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not 1 <= len(found) <= MAX_TAGS:
        raise TagError(f"expected 1 to {MAX_TAGS} tags with commas between them, got {len(found)}")
    for tag in found:
        if len(tag) > MAX_TAG or not tag.isprintable() or tag[0] == "!" or '"' in tag or ".." in tag:
            raise TagError(
                f"expected tags of at most {MAX_TAG} printable characters, without quotes, double dots or a"
                f" leading “!”, got {tag[:60]!r}"
            )
    return found


def tag(runs: RunQuerySet, tags: Sequence[str]) -> list[int]:
    """Put tags on runs. A run that would have more than 20 gets none of them."""
    with transaction.atomic():
        ids = set(name_ids(tags).values())
        numbers = dict(runs.order_by().values_list("pk", "project"))
        have: dict[int, set[int]] = {}
        for run, name in _rows_of(numbers):
            have.setdefault(run, set()).add(name)
        missing = {run: ids - have.get(run, set()) for run in numbers}
        fits = {
            run: names
            for run, names in missing.items()
            if names and len(names) + len(have.get(run, ())) <= MAX_TAGS
        }
        RunTag.objects.bulk_create(
            (
                RunTag(run_id=run, name_id=name, project_id=numbers[run])
                for run, names in fits.items()
                for name in sorted(names)
            ),
            ignore_conflicts=True,
            batch_size=_BATCH // 3,
        )
    return sorted(fits)


def untag(runs: RunQuerySet, tags: Sequence[str]) -> list[int]:
    """Take tags from runs."""
    with transaction.atomic():
        rows = RunTag.objects.filter(run__in=runs.order_by().values("pk"), name__in=known_ids(tags).values())
        changed = sorted(set(rows.values_list("run_id", flat=True)))
        rows.delete()
    return changed


def archive(runs: RunQuerySet) -> list[int]:
    """Put runs away that are over: tables, charts and counts leave them out from now on."""
    with transaction.atomic():
        changed = list(runs.shown().filter(status__in=OVER).order_by().values_list("pk", flat=True))
        for some in _batches(changed):
            Run.objects.filter(pk__in=some).update(archived_at=Now())
    return changed


def unarchive(runs: RunQuerySet) -> list[int]:
    """Bring archived runs back."""
    with transaction.atomic():
        changed = list(runs.archived().order_by().values_list("pk", flat=True))
        for some in _batches(changed):
            Run.objects.filter(pk__in=some).update(archived_at=None)
    return changed


def pin(project: Project, run_id: int | None) -> int | None:
    """Make a run the project's baseline, or no run. Returns the one that it was before."""
    before = project.baseline_id
    Project.objects.filter(pk=project.pk).update(baseline=run_id)
    return before


def tags_of(runs: Iterable[int]) -> dict[int, list[str]]:
    """Return the tags of runs, in the order of the alphabet."""
    found: dict[int, list[str]] = {}
    rows = RunTag.objects.filter(run__in=list(runs)).order_by("name__text")
    for run, text in rows.values_list("run_id", "name__text"):
        found.setdefault(run, []).append(text)
    return found


def _rows_of(runs: Iterable[int]) -> Iterable[tuple[int, int]]:
    for some in _batches(list(runs)):
        yield from RunTag.objects.filter(run__in=some).values_list("run_id", "name_id")


def _batches(numbers: Sequence[int]) -> Iterable[Sequence[int]]:
    return (numbers[start : start + _BATCH] for start in range(0, len(numbers), _BATCH))
