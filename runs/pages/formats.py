"""How numbers, durations and names are written on pages."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from runs.reading import metrics

MISSING = "–"
THIN_SPACE = "\u2009"
NOT_SAID = "not said"  # by a program outside, of what the engine's own runs all have

_ACTIVATIONS = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "elu": "ELU",
    "prelu": "PReLU",
    "leaky_relu": "leaky ReLU",
    "none": "",
}
_TASKS = {
    "binary": "classification, 2 classes",
    "multiclass": "classification",
    "regression": "regression",
}
_TIERS = {"numpy": "NumPy", "native": "native engine", "cupy": "GPU engine"}
_IN_TARGET_UNIT = frozenset({"val_rmse", "val_mae", "test_rmse", "test_mae"})


def metric_title(metric: str) -> str:
    """Write a metric's name as people read it."""
    return metrics.title(metric)


def sentence(text: str) -> str:
    """Begin a text with a capital, and leave the rest: RMSE stays RMSE."""
    return text[:1].upper() + text[1:]


def is_share(metric: str) -> bool:
    """Whether the metric is a share of all, to be read in percent."""
    return metrics.is_share(metric)


def least_span(metric: str) -> float:
    """Return the least that a metric's axis opens on: 10 points of a share, so that noise stays small."""
    return 0.1 if is_share(metric) else 0.0


def unit_of(metric: str, target_unit: str) -> str:
    """Return the unit of a metric: the target's for errors, none for losses and shares."""
    return target_unit if metric in _IN_TARGET_UNIT else ""


def number(value: Any) -> str:
    """Write a number with 4 significant digits, the very small and the very large with an exponent."""
    if value is None or value == "":
        return MISSING
    try:
        found = float(value)
    except (TypeError, ValueError):
        return str(value)
    if math.isnan(found):
        return "⚠ NaN"
    if math.isinf(found):
        return "⚠ inf" if found > 0 else "⚠ -inf"
    if found and not 1e-3 <= abs(found) <= 1e5:
        return _with_exponent(found, digits=2)
    return f"{found:.0f}" if abs(found) >= 1e4 else f"{found:.4g}"


def score(value: Any, metric: str, unit: str = "", *, bare: bool = False) -> str:
    """Write the value of a metric: a share in percent, an error with the target's unit.

    Measured values keep their last zeros, so that a column of them can be compared digit by digit.

    Args:
        bare: leaves the unit out, for a table whose heading names it.
    """
    text = number(value)
    if text == MISSING or text.startswith("⚠") or not isinstance(value, int | float):
        return text
    if is_share(metric):
        return f"{100 * value:.1f} %"
    if unit and metric in _IN_TARGET_UNIT:
        short = _compact(float(value), separator="", padded=True)
        return short if bare else f"{short} {unit}"
    return text if "e" in text or abs(value) >= 1e3 else f"{value:#.4g}".removesuffix(".")


def difference(value: float, baseline: float, metric: str, *, higher: bool) -> str:
    """Write how a value differs from the baseline's, with a sign and a word: −0.012 better.

    Args:
        higher: a larger value of the metric is the better one.
    """
    gap = value - baseline
    if not math.isfinite(gap) or gap == 0:
        return "equal" if gap == 0 else MISSING
    sign, word = "+" if gap > 0 else "−", "better" if (gap > 0) == higher else "worse"
    size = f"{100 * abs(gap):.1f} points" if is_share(metric) else number(abs(gap))
    return f"{sign}{size} {word}"


def count(value: Any) -> str:
    """Write a count in at most four characters and a letter: 714, 19.4 k, 1.23 M."""
    return MISSING if value is None else _compact(float(value), separator=" ")


def grouped(value: Any) -> str:
    """Write an integer exactly, in groups of three."""
    return MISSING if value is None else f"{int(value):,}".replace(",", THIN_SPACE)


def learning_rate(value: Any) -> str:
    """Write a learning rate: 0.01 and above as it is, below as 1e-3, a million and above as 1e6."""
    if value is None:
        return MISSING
    found = float(value)
    if found == 0 or 0.01 <= abs(found) < 1e6:
        return f"{found:.4g}" if abs(found) < 1e4 else f"{found:.0f}"
    mantissa, exponent = f"{found:.3e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def small_share(share: float) -> str:
    """Write a share that should be small: 0.8 %, under 0.1 %."""
    return "under 0.1 %" if share < 0.001 else f"{100.0 * share:.1f} %"


def deviation(share: float | None) -> str:
    """Write by which share something misses what was asked for: +0.7 %, −1.0 %."""
    return MISSING if share is None else f"{100.0 * share:+.1f} %".replace("-", "−")


def percent(share: Any) -> str:
    """Write a share between 0 and 1 as whole percent; 100 is kept for what is complete."""
    if share is None:
        return MISSING
    return f"{min(99, round(100 * share)) if share < 1 else 100} %"


def duration(length: timedelta | float | None) -> str:
    """Write a duration: 0.4 s, 0:41, 1:02:03, 2 d 3 h."""
    if length is None:
        return MISSING
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if seconds < 9.95:  # what rounds to 10.0 s is written as a clock shows it
        return f"{max(0.1, seconds):.1f} s"
    minutes, rest = divmod(max(10, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ago(moment: datetime, now: datetime) -> str:
    """Write how long ago a moment was, in its largest unit."""
    seconds = int((now - moment).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "just now" if seconds < 5 else f"{seconds} s ago"


def moment(time: datetime) -> str:
    """Show a moment to come, such as ``3 Feb 2026, 09:30 UTC``."""
    return f"{time.day} {time:%b %Y, %H:%M} UTC"


def network(hidden_units: Any) -> str:
    """Write the widths of the hidden layers: 64-64-64, 10 × 64 where many are equal, linear where none is."""
    widths = list(hidden_units or [])
    if not widths:
        return "linear"
    if len(widths) > 4 and len(set(widths)) == 1:
        return f"{len(widths)} × {widths[0]}"
    return "-".join(str(width) for width in widths)


def sketch(depth: int | None, width: int | None) -> str:
    """Write what a program outside said of its network: 3 × 64, 3 layers, 64 units a layer, not said."""
    if depth is None:
        return NOT_SAID if width is None else f"{width} units a layer"
    if width is None:
        return f"{depth} layer{'' if depth == 1 else 's'}"
    return f"{depth} × {width}"


def activation(name: str) -> str:
    """Write an activation as people do, and several of them in order: ReLU, tanh."""
    return ", ".join(_ACTIVATIONS.get(part, part) for part in name.split(", "))


def engine(tier: str, isa: str = "") -> str:
    """Write what trains a run, with its instruction set where there are several: native engine, x86-64-v4."""
    return ", ".join(filter(None, (_TIERS.get(tier, tier), isa)))


def task(name: str) -> str:
    """Write a dataset's task in words."""
    return _TASKS.get(name, name)


def _compact(value: float, *, separator: str, padded: bool = False) -> str:
    digits = "#.3g" if padded else ".3g"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 0.9995:
            return f"{f'{value / size:{digits}}'.removesuffix('.')}{separator}{letter}"
    return f"{value:#.4g}".removesuffix(".") if padded else f"{value:.4g}"


def _with_exponent(value: float, *, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa}e{int(exponent)}"
