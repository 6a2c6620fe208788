"""The trash: what is in it, and how much space that takes."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import BigIntegerField, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Length

from runs.models import Chunk, Journal, Run

PAGE_SIZE = 50


def trash(project: str = "") -> QuerySet[Any]:
    """Return the runs in the trash with the ``size`` of their points, those deleted last first.

    Args:
        project: the slug of a project; an empty text means all of them.
    """
    runs = sized(Run.objects.in_trash().select_related("project", "sweep__created_by"))
    return (runs.filter(project__slug=project) if project else runs).order_by("-deleted_at", "-pk")


def sized(runs: QuerySet[Run]) -> QuerySet[Any]:
    """Say how many bytes the points of each run take, as counted by their writer or else by looking.

    Its checkpoint is among them.
    """
    chunks = Chunk.objects.annotate(size=Coalesce(Length("steps"), 0) + Length("data"))
    journal = Journal.objects.annotate(size=Length("batch"))
    return runs.annotate(
        size=Coalesce(F("ledger__stored_bytes"), _total(chunks), 0, output_field=BigIntegerField())
        + Coalesce(_total(journal), 0)
        + Coalesce(F("checkpoint__size"), 0)
    )


def total_size(runs: QuerySet[Run]) -> int:
    """Add up the bytes that the points of runs take."""
    return int(sized(runs.order_by()).aggregate(total=Sum("size"))["total"] or 0)


def page_of_trash(runs: QuerySet[Run], number: str) -> Page[Run]:
    """Return one page of the trash; a number beyond the last page gives the last."""
    return Paginator(runs, PAGE_SIZE).get_page(number)


def _total(rows: QuerySet[Chunk] | QuerySet[Journal]) -> Subquery:
    of_run = rows.filter(run=OuterRef("pk")).order_by().values("run")
    return Subquery(of_run.annotate(total=Sum("size")).values("total"), output_field=BigIntegerField())
