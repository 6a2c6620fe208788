"""A project's notifications: who is told of its alerts, and what they were told."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from runs.models import Channel, Notice, NoticeLine, Project
from runs.models.alerts import Severity
from runs.models.notices import new_nonce
from runs.notices import outbox
from runs.notices.channels import ChannelForm
from runs.pages.frame import needs, render_page

CHANGE = "runs.change_project"
SHOWN = 20  # notices


@require_GET
@needs(CHANGE)
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the channels, the form for another and the last notices."""
    project = get_object_or_404(Project, slug=slug)
    return _page(request, project, ChannelForm(project))


@require_POST
@needs(CHANGE)
@never_cache
def add(request: HttpRequest, slug: str) -> HttpResponse:
    """Add a channel. The answer to this request alone shows a webhook's secret."""
    project = get_object_or_404(Project, slug=slug)
    form = ChannelForm(project, request.POST)
    if not form.is_valid():
        return _page(request, project, form, status=400)
    form.instance.project = project
    form.instance.created_by_id = request.user.pk
    try:
        with transaction.atomic():
            channel = form.save()
    except IntegrityError:  # a second click came first
        form.add_error("address", "This project has that channel already.")
        return _page(request, project, form, status=400)
    if channel.kind == Channel.Kind.EMAIL:
        messages.success(request, f"{channel.address} will be told of alerts. Send a test to see it arrive.")
        return redirect("project-notifications", slug)
    return _page(request, project, ChannelForm(project), secret_of=channel)


@require_POST
@needs(CHANGE)
@never_cache
def change(request: HttpRequest, slug: str, channel_id: int) -> HttpResponse:
    """Do with a channel what a button says."""
    channel = get_object_or_404(Channel.objects.select_related("project"), pk=channel_id, project__slug=slug)
    action = request.POST.get("action", "")
    if action == "renew" and channel.kind == Channel.Kind.WEBHOOK:
        channel.nonce = new_nonce()
        channel.save(update_fields=["nonce"])
        return _page(request, channel.project, ChannelForm(channel.project), secret_of=channel)
    if action in _ACTIONS:
        messages.success(request, _ACTIONS[action](channel))
    return redirect("project-notifications", slug)


@require_GET
@needs(CHANGE)
def log(request: HttpRequest, slug: str) -> HttpResponse:
    """Return the rows of the log, for a page that waits for one to be sent."""
    notices = _notices(get_object_or_404(Project, slug=slug))
    answer = render(request, "runs/_notices.html", {"notices": notices})
    answer["X-Over"] = "0" if _is_waiting(notices) else "1"
    return answer


def _test(channel: Channel) -> str:
    outbox.add_test(channel)
    return f"A test is on its way to {channel.shown_address}; the log below says how it went."


def _switch(channel: Channel) -> str:
    channel.is_on = not channel.is_on
    channel.save(update_fields=["is_on"])
    return f"{channel.shown_address} is {'on' if channel.is_on else 'off'}."


def _turn_severity(channel: Channel) -> str:
    is_strict = channel.least_severity == Severity.CRITICAL
    channel.least_severity = Severity.WARNING if is_strict else Severity.CRITICAL
    channel.save(update_fields=["least_severity"])
    wider = "warning and critical" if is_strict else "critical"
    return f"{channel.shown_address} is told of {wider} alerts."


def _delete(channel: Channel) -> str:
    channel.delete()
    return f"{channel.shown_address} is deleted, with its log."


_ACTIONS: dict[str, Callable[[Channel], str]] = {
    "test": _test,
    "switch": _switch,
    "severity": _turn_severity,
    "delete": _delete,
}


def _page(
    request: HttpRequest,
    project: Project,
    form: ChannelForm,
    *,
    secret_of: Channel | None = None,
    status: int = 200,
) -> HttpResponse:
    notices = _notices(project)
    context = {
        "project": project,
        "channels": Channel.objects.filter(project=project),
        "form": form,
        "secret_of": secret_of,
        "notices": notices,
        "is_waiting": _is_waiting(notices),
        "mail_is_set_up": settings.MAIL_IS_SET_UP,
        "links_are_whole": bool(settings.PUBLIC_URL),
    }
    return render_page(request, "runs/notifications.html", context, status=status)


def _notices(project: Project) -> list[Notice]:
    lines = Prefetch("lines", queryset=NoticeLine.objects.order_by("pk"))
    notices = Notice.objects.filter(channel__project=project).select_related("channel", "run")
    return list(notices.prefetch_related(lines)[:SHOWN])


def _is_waiting(notices: list[Notice]) -> bool:
    return any(notice.state == Notice.State.WAITING for notice in notices)
