"""The trash in the admin: what it shows and the actions that delete, restore and purge."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from runs import retention
from runs.models import Run
from runs.models.runs import RunQuerySet

PURGE_SECONDS = 2.0  # that a page waits; the scheduler does the rest


class TrashFilter(admin.SimpleListFilter):
    """Shows the runs that are kept, or those in the trash."""

    title = "trash"
    parameter_name = "trash"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """Name what is not the default."""
        return [("yes", "in the trash")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        """Leave the other runs out."""
        return queryset.filter(deleted_at__isnull=self.value() != "yes")

    def choices(self, changelist: Any) -> Any:
        """Call the default what it is."""
        for choice in super().choices(changelist):
            yield {**choice, "display": "kept" if choice["display"] == "All" else choice["display"]}


class DeletesRuns:
    """Runs go to the trash: Django's own deletion would load all their points, and could not be undone."""

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody deletes by Django's own means."""
        return False

    def has_discard_permission(self, request: HttpRequest) -> bool:
        """Deleting anybody's runs is a right of its own."""
        return request.user.has_perm(retention.DELETE)


class KeepsATrash(DeletesRuns):
    """The actions of a list of runs."""

    @admin.action(description="Move the selected runs to the trash", permissions=["discard"])
    def discard(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        """Delete runs that are over; they can be restored."""
        discard(request, _chosen(queryset))

    @admin.action(description="Restore the selected runs from the trash", permissions=["discard"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        """Take runs out of the trash."""
        messages.success(request, f"{retention.counted(retention.restore(_chosen(queryset)))} restored.")

    @admin.action(description="Purge the selected runs of the trash for good", permissions=["discard"])
    def purge(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        """Give runs of the trash up; what takes long is done by the scheduler."""
        begun = retention.begin_purge(_chosen(queryset))
        freed = retention.purge(PURGE_SECONDS)
        messages.success(request, f"{freed} freed, of {retention.counted(begun)} given up.")


def _chosen(queryset: QuerySet[Run]) -> RunQuerySet:
    """Return the runs by their numbers alone: a list that counts and joins cannot be updated."""
    return Run.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))


def discard(request: HttpRequest, runs: RunQuerySet) -> None:
    """Move runs to the trash and say what became of them."""
    discarded = retention.discard(runs)
    messages.success(request, f"{retention.counted(discarded.moved)} moved to the trash.")
    if discarded.left:
        messages.warning(
            request, f"{retention.counted(discarded.left)} left: still waiting or training; stop first."
        )
