"""Job submission and control in Django's stock admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from runs import retention, submission
from runs.forms.submission import FIELDSETS, FOLDED, SEARCH, SweepForm
from runs.models import Alert, Allowance, ApiToken, Attempt, Project, Run, Status, Sweep, Worker
from runs.models.runs import RunQuerySet
from runs.steering_admin import SteersRuns
from runs.submitted.specification import SubmissionError
from runs.trash_admin import DeletesRuns, KeepsATrash, TrashFilter, discard

admin.site.site_header = admin.site.site_title = "nnlab administration"
admin.site.index_title = "Training jobs, alerts and people"


class ReadOnlyAdmin:
    """What only workers write, people may look at."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody adds by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody changes by hand."""
        return False


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin[Project]):
    """Projects: names and descriptions."""

    list_display = ["name", "slug", "max_running", "max_queued", "created_at"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}

    def has_delete_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        """A project goes when it has no runs, in the trash or not."""
        return super().has_delete_permission(request, obj) and (obj is None or not obj.runs.exists())

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Delete projects one by one: many at once would be asked for by their rows, not by their runs."""
        return {
            name: action for name, action in super().get_actions(request).items() if name != "delete_selected"
        }

    def delete_model(self, request: HttpRequest, obj: Project) -> None:
        """Look once more whether it has runs."""
        retention.delete_project(obj)


@admin.register(Sweep)
class SweepAdmin(SteersRuns, DeletesRuns, admin.ModelAdmin[Sweep]):
    """Submit training jobs; stop, pause, resume, retry and delete whole sweeps."""

    list_display = ["name", "project", "state", "comparison", "created_by", "submitted"]
    list_filter = ["project"]
    search_fields = ["name"]
    date_hierarchy = "created_at"
    actions = ["stop", "pause", "resume", "retry", "discard"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Sweep]:
        """Count runs by status with the list's own query."""
        kept = Q(runs__deleted_at=None)
        counts = {status.value: Count("runs", filter=kept & Q(runs__status=status)) for status in Status}
        return super().get_queryset(request).select_related("project", "created_by").annotate(**counts)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Submitting is a right of its own."""
        return request.user.has_perm("runs.submit_sweep")

    def has_change_permission(self, request: HttpRequest, obj: Sweep | None = None) -> bool:
        """A submitted sweep is what it is."""
        return False

    def get_form(
        self, request: HttpRequest, obj: Sweep | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Show the submission form where a sweep is added."""
        return super().get_form(request, obj, change, **kwargs) if obj else AdminSweepForm

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Call it what it is."""
        try:
            return super().add_view(
                request, form_url, {"title": "Submit training jobs", **(extra_context or {})}
            )
        except SubmissionError as error:  # the form cannot see it: it depends on what waits at this moment
            messages.error(request, f"Nothing was submitted: {error}")
            return redirect(request.get_full_path())

    def get_fieldsets(self, request: HttpRequest, obj: Sweep | None = None) -> Any:
        """Group the submission form as on the web page."""
        if obj:
            return super().get_fieldsets(request, obj)
        return [
            (title, {"fields": names, "classes": ["collapse"] if title in (SEARCH, FOLDED) else []})
            for title, names in FIELDSETS
        ]

    def save_model(self, request: HttpRequest, obj: Sweep, form: Any, change: bool) -> None:
        """Submit through the one way in, and make the row it stored the admin's object."""
        sweep = submission.submit(form.specification, request.user)
        obj.__dict__.update(Sweep.objects.select_related("project").get(pk=sweep.pk).__dict__)
        runs = sweep.runs.count()
        link = format_html('<a href="{}">Watch them</a>', sweep.get_absolute_url())
        messages.info(request, format_html("{} run(s) queued. {}", runs, link))

    @admin.display(description="runs")
    def state(self, sweep: Sweep) -> str:
        """Count the sweep's runs by status."""
        counts = {status.value: getattr(sweep, status.value) for status in Status}
        return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"

    @admin.display(description="submitted", ordering="created_at")
    def submitted(self, sweep: Sweep) -> str:
        """Tell how long ago, which leaves the names more room than a date."""
        return f"{timesince(sweep.created_at, depth=1)}\N{NO-BREAK SPACE}ago"

    @admin.display(description="charts")
    def comparison(self, sweep: Sweep) -> SafeString:
        """Link to the sweep's comparison."""
        return format_html('<a href="{}">Compare</a>', sweep.get_absolute_url())

    @admin.action(description="Move all runs of the selected sweeps to the trash", permissions=["discard"])
    def discard(self, request: HttpRequest, queryset: QuerySet[Sweep]) -> None:
        """Delete every run of the sweeps that is over."""
        discard(request, Run.objects.filter(sweep__in=queryset))

    def runs_of(self, queryset: QuerySet[Sweep]) -> RunQuerySet:
        """Return all runs of the sweeps."""
        return Run.objects.kept().filter(sweep__in=queryset.order_by().values("pk"))


class AdminSweepForm(SweepForm):
    """The submission form in the clothes of a model form, which the admin expects."""

    def __init__(self, *args: Any, instance: Sweep | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.instance = instance or Sweep()

    def save(self, commit: bool = True) -> Sweep:
        """Give the admin its object; ``save_model`` stores it."""
        return self.instance

    def save_m2m(self) -> None:
        """Store nothing more: ``submission`` did it all."""


@admin.register(Run)
class RunAdmin(SteersRuns, KeepsATrash, ReadOnlyAdmin, admin.ModelAdmin[Run]):
    """Watch, steer, clone, delete, restore and purge runs."""

    list_display = ["id", "page", "project", "status", "done", "score", "alerts_open", "attempt", "queued_at"]
    list_display_links = ["id"]
    list_filter = [TrashFilter, "status", "project", "activation", "depth", "dataset"]
    search_fields = ["name", "sweep__name"]
    date_hierarchy = "queued_at"
    actions = ["stop", "pause", "resume", "retry", "clone", "discard", "restore", "purge"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Count open alerts with the list's own query."""
        opened = Count("alerts", filter=Q(alerts__state="open"))
        return super().get_queryset(request).select_related("project").annotate(opened=opened)

    @admin.display(description="run")
    def page(self, run: Run) -> SafeString:
        """Link to the run's page."""
        return format_html('<a href="{}">{}</a>', run.get_absolute_url(), run.name)

    @admin.display(description="progress")
    def done(self, run: Run) -> str:
        """Show the share of steps that were run."""
        return f"{run.progress:.0%}"

    @admin.display(description="open alerts")
    def alerts_open(self, run: Run) -> int:
        """Count the run's open alerts."""
        return int(getattr(run, "opened", 0))

    @admin.action(description="Clone the selected runs", permissions=["submit"])
    def clone(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        """Queue the same configurations once more."""
        for run in queryset.filter(deleted_at=None):
            try:
                copy = submission.clone(run, request.user)
            except SubmissionError as error:
                messages.error(request, f"{run}: {error}")
            else:
                link = format_html('<a href="{}">run {}</a>', copy.get_absolute_url(), copy.pk)
                messages.success(request, format_html("{} was queued again as {}.", run.name, link))


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin, admin.ModelAdmin[Alert]):
    """What the health checks found."""

    list_display = ["title", "run", "severity", "state", "first_step", "created_at"]
    list_filter = ["severity", "state", "check_id"]
    search_fields = ["title", "run__name"]
    list_select_related = ["run"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        """Leave out the alerts of deleted runs."""
        return super().get_queryset(request).exclude(run__in=Run.objects.in_trash())


class History(ReadOnlyAdmin):
    """What happened stays as it is."""

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody deletes by hand."""
        return False


@admin.register(Attempt)
class AttemptAdmin(History, admin.ModelAdmin[Attempt]):
    """Each try at a run, and how it ended."""

    list_display = ["run", "number", "process", "tier", "started_at", "ended_at", "outcome", "reason"]
    list_filter = ["outcome", "tier"]
    search_fields = ["run__name", "process", "error"]
    list_select_related = ["run"]
    date_hierarchy = "started_at"


@admin.register(Worker)
class WorkerAdmin(History, admin.ModelAdmin[Worker]):
    """Who trains, or did within the last day."""

    list_display = ["__str__", "ending", "seen_at", "concurrency", "queues", "tier", "device", "load"]
    list_filter = ["ending", "tier"]
    search_fields = ["host"]


@admin.register(Allowance)
class AllowanceAdmin(admin.ModelAdmin[Allowance]):
    """How many runs one person may have; who has no row here has the installation's bounds."""

    list_display = ["user", "max_running", "max_queued"]
    list_select_related = ["user"]
    autocomplete_fields = ["user"]


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin[ApiToken]):
    """Tokens can be seen and revoked here; they are issued by ``nnlab token``."""

    list_display = ["name", "user", "created_at", "last_used_at"]
    list_select_related = ["user"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A token is shown once, on the command line that issued it."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """A token is revoked, never changed."""
        return False
