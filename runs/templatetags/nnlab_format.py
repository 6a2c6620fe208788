"""Filters and tags for numbers, times, states and severities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import template
from django.utils import timezone
from django.utils.html import format_html

from runs.alerts.verdicts import Outcome
from runs.models import Source, Status
from runs.pages import formats
from runs.reading.metrics import higher_is_better
from runs.reading.overview import Best
from runs.retention import file_size

if TYPE_CHECKING:
    from datetime import datetime

    from django.urls import ResolverMatch
    from django.utils.safestring import SafeString

    from nnlab.data.catalogue import DatasetInfo
    from runs.alerts.trials import Trial
    from runs.alerts.verdicts import RunEnd
    from runs.models import Run

register = template.Library()

for _filter in (
    formats.number,
    formats.count,
    formats.grouped,
    formats.learning_rate,
    formats.deviation,
    formats.percent,
    formats.small_share,
    formats.duration,
    formats.network,
    formats.metric_title,
    formats.activation,
    formats.task,
    file_size,
):
    register.filter(_filter.__name__, _filter)

_STATUS_ICONS = {
    "queued": "◷",
    "running": "◐",
    "paused": "‖",
    "finished": "✓",
    "failed": "✗",
    "cancelled": "⊘",
    "lost": "?",
}
_SEVERITY_ICONS = {"info": "○", "warning": "▲", "critical": "●"}
_OUTCOMES = {  # of a fix: an icon, and the state whose colour it has
    Outcome.WAITING: ("◐", "running"),
    Outcome.HELPED: ("✓", "finished"),
    Outcome.WORSE: ("✗", "failed"),
    Outcome.NO_HELP: ("○", "cancelled"),
    Outcome.UNDECIDED: ("?", "lost"),
}
_STOP_REASONS = {
    "end": "all steps were run",
    "early stop": "validation loss no longer fell; the best network was given back",
    "halved": "other trials of its search were better by then",
    "stop rule": "a rule of its search stopped it",
    "diverged": "its numbers stopped being finite",
    "cancelled": "somebody asked for it",
    "error": "it failed",
    "worker lost": "its workers were lost too often",
}
_LONG_LIST = 4  # from here on equal parts are written once
_VIEWS = ("project", "compare", "run", "alerts", "queue", "question", "change", "dataset")
_ORDINARY_ENDINGS = frozenset({"", "end", "cancelled"})


@register.simple_tag
def status(run: Run) -> SafeString:
    """Show where a run stands: an icon, a word, and the reason where the word alone does not say it."""
    word = run.get_status_display().lower()
    reason = "" if run.stop_reason in _ORDINARY_ENDINGS else f": {run.stop_reason}"
    if run.cancel_requested and not run.is_over:
        reason = ": stopping"
    elif run.pause_requested:
        reason = ": pausing"
    return format_html(
        '<span class="status status--{}"><span aria-hidden="true">{}</span> {}{}</span>',
        run.status,
        _STATUS_ICONS[run.status],
        word,
        reason,
    )


@register.simple_tag
def status_count(status: str, number: int) -> SafeString:
    """Show how many runs stand where: an icon, the number and the word."""
    icon = _STATUS_ICONS[status]
    return format_html(
        '<span class="status status--{}"><span aria-hidden="true">{}</span> {} {}</span>',
        *(status, icon, formats.grouped(number), status),
    )


@register.simple_tag
def severity(level: str) -> SafeString:
    """Show a severity as icon and word."""
    return format_html(
        '<span class="severity severity--{}"><span aria-hidden="true">{}</span> {}</span>',
        level,
        _SEVERITY_ICONS.get(level, "○"),
        level,
    )


@register.simple_tag
def outcome(found: Outcome) -> SafeString:
    """Show what a fix came to as icon and word."""
    icon, state = _OUTCOMES[found]
    return format_html(
        '<span class="status status--{}"><span aria-hidden="true">{}</span> {}</span>',
        state,
        icon,
        found.value,
    )


@register.simple_tag
def fix_value(trial: Trial, end: RunEnd) -> str:
    """Write what a run of a pair counts with, or why it does not."""
    if end.in_trash:
        return "in the trash"
    if end.value is None:
        return str(end.stop_reason or end.status)
    shown = formats.score(end.value, trial.metric, trial.unit)
    return f"{shown} (diverged)" if end.diverged else shown


@register.simple_tag
def run_score(run: Run) -> str:
    """Write a run's score in the unit of its headline metric."""
    return formats.score(run.score, run.headline, run.info.get("target_unit", ""))


@register.simple_tag
def metric_value(value: Any, metric: str, unit: str = "", *, bare: bool = False) -> str:
    """Write a value of a metric, in percent, or in its unit unless ``bare``."""
    return formats.score(value, metric, unit, bare=bare)


@register.filter
def run_network(run: Run) -> str:
    """Write the widths of a run's hidden layers, as far as they are known."""
    if run.source == Source.OUTSIDE:
        return formats.sketch(run.depth, run.width)
    return formats.network(run.config["training"].get("hidden_units"))


@register.filter
def run_engine(run: Run) -> str:
    """Write which tier of the engine trains a run, or did."""
    return formats.engine(run.tier, run.isa)


@register.filter
def run_duration(run: Run) -> str:
    """Write how long a run took, or takes so far; of a lost one nobody knows."""
    if run.started_at is None or (run.ended_at is None and run.status == Status.LOST):
        return formats.MISSING
    return formats.duration((run.ended_at or timezone.now()) - run.started_at)


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """Show how long ago a moment was, with the moment itself on hover."""
    if moment is None:
        return formats.MISSING
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        moment.isoformat(timespec="seconds"),
        moment.strftime("%Y-%m-%d %H:%M:%S"),
        formats.ago(moment, timezone.now()),
    )


@register.simple_tag
def muted(until: datetime | None, reason: str) -> str:
    """Say for how long something is muted, and why."""
    end = "" if until is None else f" until {formats.moment(until)}"
    return f"muted{end}{': ' if reason else ''}{reason}"


@register.filter
def item(mapping: Mapping[str, Any], key: str) -> Any:
    """Look a key up; None where it is missing."""
    return mapping.get(key)


@register.simple_tag
def best_score(best: Best) -> str:
    """Write the better end of a range of scores, in the metric's unit."""
    value = best.high if higher_is_better(best.metric) else best.low
    return formats.score(value, best.metric, best.unit)


@register.simple_tag
def target_cap(info: DatasetInfo) -> str:
    """Write where a target was cut off, in the target's unit rather than as it is stored."""
    return formats.grouped(round(info.target_cap * info.target_scale)) if info.target_cap is not None else ""


@register.filter
def setting(value: Any) -> str:
    """Write a value of a configuration or of an alert's evidence."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        if len(value) > _LONG_LIST and all(part == value[0] for part in value):
            return f"{len(value)} × {setting(value[0])}"
        return ", ".join(setting(part) for part in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{underscores(key)} {setting(part)}" for key, part in value.items()) or "none"
    if isinstance(value, float):
        return formats.learning_rate(value) if math.isfinite(value) else formats.number(value)
    return formats.MISSING if value is None else str(value)


@register.filter
def is_view(match: ResolverMatch | None) -> bool:
    """Whether a page can be saved as a view: those of the navigation that change with their address."""
    return match is not None and not match.app_names and (match.url_name or "").startswith(_VIEWS)


@register.filter
def underscores(name: Any) -> str:
    """Write a name with spaces instead of underscores."""
    return str(name).replace("_", " ")


@register.filter
def stop_reason(reason: str) -> str:
    """Say in words why a run stopped."""
    return _STOP_REASONS.get(reason, reason)
