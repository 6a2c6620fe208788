"""The queue in the admin: runs in their order, priorities that can be typed into the list, and actions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from runs import lifecycle
from runs.estimating.starts import expected_starts
from runs.models import QueuedRun, Run
from runs.models.runs import RunQuerySet
from runs.retention import counted
from runs.steering import ACTIONS, MANY, STEER, SUBMIT, move


class SteersRuns:
    """The actions of a list of runs, or of what has runs."""

    def runs_of(self, queryset: QuerySet[Any]) -> RunQuerySet:
        """Return the runs that are meant, by their numbers alone: a list that counts cannot be updated."""
        return Run.objects.kept().filter(pk__in=queryset.order_by().values("pk"))

    @admin.action(description="Stop", permissions=["steer"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Ask runs to stop; who stops very many is asked first."""
        number = self.runs_of(queryset).not_over().count()
        if number > MANY and "confirmed" not in request.POST:
            fields = [(name, value) for name, values in request.POST.lists() for value in values]
            context = {"title": f"Stop {counted(number)}?", "fields": fields, "number": number}
            own = admin.site.each_context(request)
            return TemplateResponse(request, "admin/runs/stop_many.html", {**own, **context})
        self._steer(request, "stop", queryset)
        return None

    @admin.action(description="Pause", permissions=["steer"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Hold runs."""
        self._steer(request, "pause", queryset)

    @admin.action(description="Resume", permissions=["steer"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Let paused runs go on."""
        self._steer(request, "resume", queryset)

    @admin.action(description="Retry what failed or was stopped", permissions=["submit"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Put failed and stopped runs back into the queue."""
        self._steer(request, "retry", queryset)

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """Stopping, pausing and ordering is a right of its own."""
        return request.user.has_perm(STEER)

    def has_submit_permission(self, request: HttpRequest) -> bool:
        """Submitting is a right of its own."""
        return request.user.has_perm(SUBMIT)

    def _steer(self, request: HttpRequest, word: str, queryset: QuerySet[Any]) -> None:
        changed = ACTIONS[word].act(self.runs_of(queryset))
        (messages.success if changed else messages.info)(request, ACTIONS[word].told(changed))


class _Expecting(ChangeList):
    """A page of the queue that knows when its runs will start."""

    def get_results(self, request: HttpRequest) -> None:
        """Ask once for all runs of the page."""
        super().get_results(request)
        found = expected_starts([run.pk for run in self.result_list])
        for run in self.result_list:
            run.expected = found.get(run.pk)


@admin.register(QueuedRun)
class QueueAdmin(SteersRuns, admin.ModelAdmin[QueuedRun]):
    """What trains, waits and is paused, in the order of the queue."""

    list_display = [
        "id",
        "page",
        "status",
        "position",
        "starts",
        "priority",
        "queue",
        "project",
        "owner",
        "queued_at",
    ]
    list_display_links = ["id"]
    list_editable = ["priority"]
    list_filter = ["status", "queue", "project"]
    list_select_related = ["project", "sweep__created_by"]
    search_fields = ["name", "sweep__name"]
    ordering = ["-priority", "place", "pk"]
    actions = ["stop", "pause", "resume", "to_front", "to_end"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[QueuedRun]:
        """Leave out what is over, or in the trash."""
        return super().get_queryset(request).filter(ended_at=None, deleted_at=None)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Show when runs will start."""
        return _Expecting

    def has_view_permission(self, request: HttpRequest, obj: QueuedRun | None = None) -> bool:
        """Who may look at runs may look at the queue."""
        return request.user.has_perm("runs.view_run") or request.user.has_perm(STEER)

    def has_change_permission(self, request: HttpRequest, obj: QueuedRun | None = None) -> bool:
        """Change the list's priorities, but no run by hand."""
        return obj is None and request.user.has_perm(STEER)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Add none: runs are submitted."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: QueuedRun | None = None) -> bool:
        """Delete none: they are stopped first."""
        return False

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Stand in the index for whom it can show something."""
        return self.has_view_permission(request)

    def save_model(self, request: HttpRequest, obj: QueuedRun, form: Any, change: bool) -> None:
        """Set the priority that was typed, and nothing else: a worker may have written meanwhile."""
        lifecycle.prioritise(Run.objects.filter(pk=obj.pk), form.cleaned_data["priority"])

    @admin.display(description="run")
    def page(self, run: QueuedRun) -> SafeString:
        """Link to the run's page."""
        return format_html('<a href="{}">{}</a>', run.get_absolute_url(), run.name)

    @admin.display(description="submitted by")
    def owner(self, run: QueuedRun) -> str:
        """Name who submitted it."""
        return str(run.sweep.created_by or "–")

    @admin.display(description="position")
    def position(self, run: QueuedRun) -> str:
        """Show where a waiting run stands."""
        expected = getattr(run, "expected", None)
        return str(expected.position) if expected else "–"

    @admin.display(description="starts in about")
    def starts(self, run: QueuedRun) -> str:
        """Show when a waiting run will start, or why it will not."""
        expected = getattr(run, "expected", None)
        if expected is None:
            return "–"
        return f"{expected.starts_in:,.0f} s" if expected.starts_in is not None else str(expected.reason)

    @admin.action(description="Move to the front of the queue", permissions=["steer"])
    def to_front(self, request: HttpRequest, queryset: QuerySet[QueuedRun]) -> None:
        """Put waiting runs before all others."""
        self._move(request, queryset, "first")

    @admin.action(description="Move to the end of their priority", permissions=["steer"])
    def to_end(self, request: HttpRequest, queryset: QuerySet[QueuedRun]) -> None:
        """Put waiting runs behind all others of their priority."""
        self._move(request, queryset, "last")

    def _move(self, request: HttpRequest, queryset: QuerySet[QueuedRun], target: str) -> None:
        moved = move(self.runs_of(queryset), target)
        messages.success(request, f"{counted(moved)} moved.")
