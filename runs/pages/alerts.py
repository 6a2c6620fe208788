"""The inbox: alerts of all projects, and what is done with them there and on the run's page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from runs.alerts import fixing, handling
from runs.alerts.trials import hit_rates, trials
from runs.models import Alert, Mute, Project
from runs.models.alerts import AlertQuerySet
from runs.pages import formats
from runs.pages.frame import needs, render_page, signed_in
from runs.pages.run.alerts import trial_card
from runs.pages.selection import run_numbers
from runs.reading import inbox
from runs.reading.inbox import Wanted
from runs.submitted.specification import SubmissionError

MUTE_HOURS = (1, 24, 168)
_FIELDS = ("severity", "state", "check", "project")


@require_GET
def alerts(request: HttpRequest) -> HttpResponse:
    """Show the alerts that the address asks for; open ones unless it says otherwise."""
    given = {name: request.GET[name].replace("\x00", "") for name in _FIELDS if name in request.GET}
    wanted = Wanted(**{"state": "open", **given})
    page = inbox.inbox(wanted, request.GET.get("page", "1"))
    muted_count, muted = inbox.muted(wanted)
    project = Project.objects.filter(slug=wanted.project).first() if wanted.project else None
    context = {
        "page": page,
        "wanted": wanted,
        "filters": _filters(wanted),
        "muted": muted,
        "muted_count": muted_count,
        "orders": inbox.standing_orders(wanted),
        "rates": list(hit_rates(trials(project.pk if project else None)).values()),
        "address": f"?{urlencode(wanted.parameters)}",
        "previous": _address(wanted, page.number - 1) if page.has_previous() else "",
        "next": _address(wanted, page.number + 1) if page.has_next() else "",
    }
    return render_page(request, "runs/alerts.html", context)


@require_POST
@needs(handling.CHANGE)
def selected(request: HttpRequest) -> HttpResponse:
    """Do with the ticked alerts, or the one that a button names, what the button says."""
    action, only = _asked(request)
    ticked = only or ",".join(request.POST.getlist("alerts"))
    chosen = Alert.objects.of_kept_runs().filter(pk__in=run_numbers(ticked).numbers)
    if action not in _ACTIONS or not chosen.exists():
        messages.info(request, "Tick one alert or more first.")
    else:
        messages.success(request, _ACTIONS[action](request, chosen))
    return _back(request)


@require_POST
@needs(handling.CHANGE)
def unmute_check(request: HttpRequest, mute_id: int) -> HttpResponse:
    """Lift a standing order."""
    order = get_object_or_404(Mute.objects.select_related("project"), pk=mute_id)
    number = handling.unmute_checks([order])
    name = order.check_id.replace("_", " ")
    messages.success(request, f"“{name}” counts again in {order.project.name}: {_alerts(number)} unmuted.")
    return _back(request)


@require_POST
@needs("runs.submit_sweep")
def fix(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Rerun with the advice that a button names, or with all that is ticked."""
    found = get_object_or_404(Alert.objects.of_kept_runs().select_related("run__project"), pk=alert_id)
    only = request.POST.get("only", "")
    codes = [only] if only else request.POST.getlist(f"advice-{alert_id}")
    seeds = run_numbers(request.POST.get(f"seeds-{alert_id}", "")).numbers
    try:
        begun = fixing.begin(found, codes, seeds[0] if seeds else fixing.USUAL_SEEDS, signed_in(request))
    except SubmissionError as error:
        messages.error(request, f"Nothing was queued: {error}")
        return redirect(found)
    queued = begun.sweep.runs.count() if begun.sweep else 0
    messages.success(request, f"{begun.title}: {queued} run{'' if queued == 1 else 's'} queued.")
    return redirect(f"{reverse('run-alerts', args=[found.run_id])}#fix-{begun.pk}")


@require_GET
def fix_state(request: HttpRequest, fix_id: int) -> HttpResponse:
    """Return how a fix stands, for a page that waits for its pairs."""
    found = trials(pk=fix_id)
    if not found:
        raise Http404(f"there is no fix {fix_id}")
    answer = render(request, "runs/_fix.html", {"card": trial_card(found[0])})
    answer["X-Over"] = "1" if found[0].is_over else "0"
    return answer


def _filters(wanted: Wanted) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Give each filter with what is chosen and what can be."""
    choices = {
        "severity": [(name, name) for name in inbox.SEVERITIES],
        "state": [(name, name) for name in inbox.STATES],
        "check": [(name, name.replace("_", " ")) for name in inbox.CHECK_IDS],
        "project": list(Project.objects.values_list("slug", "name")),
    }
    return [(name, chosen, choices[name]) for name, chosen in wanted.parameters.items()]


def _acknowledge(request: HttpRequest, chosen: AlertQuerySet) -> str:
    return f"{_alerts(handling.acknowledge(chosen, signed_in(request)))} acknowledged."


def _mute(request: HttpRequest, chosen: AlertQuerySet) -> str:
    until = _until(request)
    number = handling.mute(chosen, signed_in(request), _reason(request), until)
    return f"{_alerts(number)} muted{_end(until)}: neither counted nor told of."


def _unmute(request: HttpRequest, chosen: AlertQuerySet) -> str:
    return f"{_alerts(handling.unmute(chosen))} unmuted."


def _mute_check(request: HttpRequest, chosen: AlertQuerySet) -> str:
    until = _until(request)
    orders = handling.mute_checks(chosen, signed_in(request), _reason(request), until)
    named = ", ".join(f"“{order.check_id.replace('_', ' ')}” in {order.project.name}" for order in orders)
    return f"Muted{_end(until)}, with what is still to come: {named}."


_ACTIONS: dict[str, Callable[[HttpRequest, AlertQuerySet], str]] = {
    "acknowledge": _acknowledge,
    "mute": _mute,
    "unmute": _unmute,
    "mute-check": _mute_check,
}


def _asked(request: HttpRequest) -> tuple[str, str]:
    """Read a button: what to do, and the alert that it belongs to, if to one."""
    action, _, only = request.POST.get("action", "").partition(" ")
    return action, only


def _reason(request: HttpRequest) -> str:
    return _field(request, "reason")


def _until(request: HttpRequest) -> datetime | None:
    """Read for how long to mute: one of the hours on offer; None is for ever."""
    hours = {str(number): number for number in MUTE_HOURS}.get(_field(request, "for"))
    return None if hours is None else timezone.now() + timedelta(hours=hours)


def _field(request: HttpRequest, name: str) -> str:
    """Read a field of the alert that a button belongs to, or of all that is ticked."""
    _, only = _asked(request)
    return request.POST.get(f"{name}-{only}" if only else name, "").replace("\x00", "").strip()


def _end(until: datetime | None) -> str:
    return "" if until is None else f" until {formats.moment(until)}"


def _alerts(number: int) -> str:
    return f"{number} alert{'' if number == 1 else 's'}"


def _back(request: HttpRequest) -> HttpResponse:
    """Return to the page that the form stands on."""
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if is_ours else reverse("alerts"))


def _address(wanted: Wanted, page: int) -> str:
    return f"?{urlencode({**wanted.parameters, 'page': page})}"
