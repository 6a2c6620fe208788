"""The demonstration's summary: one line for each group of runs, and whether all went as it should."""

from __future__ import annotations

from collections import defaultdict

from nnlab.stats.intervals import mean_interval
from runs import console
from runs.models import Alert, Run, Status, Sweep
from runs.models.alerts import Severity


def print_summary(sweeps: list[Sweep]) -> None:
    """Print for each sweep its groups: the headline metric with its interval over seeds, and open alerts."""
    for sweep in sweeps:
        groups: dict[str, list[Run]] = defaultdict(list)
        for run in sweep.runs.kept().order_by("pk").prefetch_related("alerts"):
            groups[run.group].append(run)
        metric = next((run.headline for runs in groups.values() for run in runs if run.headline), "score")
        rows = [_row(runs) for runs in groups.values()]
        console.print_table(
            f"{sweep.project.name}: {sweep.name}", ["network", "runs", metric, "95 %", "alerts"], rows
        )


def has_failed(sweeps: list[Sweep]) -> bool:
    """Whether a run ended in another way than by finishing; the demonstration's sick network finishes too."""
    return Run.objects.kept().filter(sweep__in=sweeps).exclude(status=Status.FINISHED).exists()


def _row(runs: list[Run]) -> list[str]:
    first = runs[0]
    layers = "-".join(str(width) for width in first.training["hidden_units"]) or "linear"
    dropout = "" if first.dropout in {0, None} else f" dropout {first.dropout:g}"
    scores = [run.score for run in runs if run.score is not None]
    unit = first.info.get("target_unit", "")
    mean, spread = _interval(scores, "USD" if unit == "USD" and first.headline == "val_rmse" else "")
    alerts = sorted(
        {f"{a.severity}: {a.check_id}" for run in runs for a in run.alerts.all() if _is_serious(a)}
    )
    name = f"{layers} {first.activation}{dropout}" if first.depth else layers
    return [name, f"{len(scores)} of {len(runs)}", mean, spread, ", ".join(alerts)]


def _is_serious(alert: Alert) -> bool:
    return alert.state == "open" and alert.severity != Severity.INFO


def _interval(scores: list[float], unit: str) -> tuple[str, str]:
    if not scores:
        return "none", ""
    interval = mean_interval(scores)
    style = ",.0f" if unit else ".4f"
    mean = f"{interval.mean:{style}} {unit}".strip()
    if interval.low is None or interval.high is None:
        return mean, "one seed"
    return mean, f"{interval.low:{style}} to {interval.high:{style}}"
