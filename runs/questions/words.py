"""How a verdict writes its numbers: as many digits as their interval supports, and proper minus signs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from nnlab.stats.comparisons import Compared
from runs.questions.cells import Budget, Cell
from runs.questions.outcomes import CellOutcome
from runs.reading.metrics import higher_is_better, is_share, title

_MOST_LISTED = 4
_MOST_DECIMALS = 6


def frame(budget: Budget, cells: Sequence[Cell]) -> str:
    """Say what all networks have in common, and how exactly."""
    if not budget.is_equal:
        sizes = [cell.parameters for cell in cells]
        span = f"{min(sizes):,} to {max(sizes):,} parameters"
        return f"At {budget.value:,} units in every layer, which is no equal size ({span})"
    most = max(abs(cell.deviation or 0.0) for cell in cells)
    deviation = f" ±{math.ceil(round(1000 * most, 6)) / 10:.1f} %" if most else ""
    noun = "parameters" if budget.kind == "parameters" else "multiplications an example"
    return f"At {budget.value:,} {noun}{deviation}"


def score_words(one: CellOutcome, metric: str) -> str:
    """Say what a cell reaches, such as "2 layers reach 97.1 % validation accuracy [96.5, 97.7]"."""
    verb = "reach" if higher_is_better(metric) else "have"
    if not one.cell.label.endswith("layers"):
        verb = {"reach": "reaches", "have": "has"}[verb]
    return f"{one.cell.label} {verb} {value_words(one, metric)}"


def value_words(one: CellOutcome, metric: str) -> str:
    """Write the mean of a cell with its interval."""
    interval, scale = one.answer.interval, _scale(metric)
    if interval is None:
        return "no result"
    if interval.low is None or interval.high is None:
        return f"{_named(_rounded([interval.mean * scale])[0], metric)} (one seed: no interval)"
    mean, low, high = _rounded([interval.mean * scale, interval.low * scale, interval.high * scale])
    return f"{_named(mean, metric)} [{low}, {high}]"


def difference_words(label: str, compared: Compared, metric: str) -> str:
    """Say how far a cell is from another, such as "4 layers 0.6 points lower [−1.1, −0.1]"."""
    return f"{label} {distance_words(label, compared, metric)}"


def distance_words(label: str, compared: Compared, metric: str) -> str:
    """Say the difference of a cell to the other one, such as "0.6 points lower [−1.1, −0.1]"."""
    found = compared.difference
    if found is None:
        return "no result"
    sign = _scale(metric) * (1.0 if compared.after == label else -1.0)
    if found.low is None or found.high is None:
        numbers = _rounded([abs(found.mean * sign)])
    else:
        numbers = _rounded([abs(found.mean * sign), *sorted((found.low * sign, found.high * sign))])
    direction = "lower" if found.mean * sign < 0 else "higher"
    size = f"{numbers[0]} {_points(metric)}".strip()
    interval = f"[{', '.join(numbers[1:])}]" if len(numbers) > 1 else "(one seed: no interval)"
    return f"{size} {direction if found.mean else 'apart'} {interval}"


def unit_words(value: float, metric: str) -> str:
    """Write a difference with its unit, such as "1 point"."""
    number = f"{value * _scale(metric):g}"
    unit = _points(metric)
    return f"{number} {unit.removesuffix('s') if number == '1' else unit}".strip()


def listed(items: Iterable[str]) -> str:
    """Write a list, the rest of a long one counted."""
    found = list(items)
    rest = len(found) - _MOST_LISTED
    return ", ".join(found) if rest <= 0 else f"{', '.join(found[:_MOST_LISTED])} and {rest} more"


def joined(labels: Sequence[str]) -> str:
    """Write names as one reads them out: 1 layer, 2 layers and 4 layers."""
    return " and ".join(filter(None, [", ".join(labels[:-1]), *labels[-1:]]))


def _scale(metric: str) -> float:
    return 100.0 if is_share(metric) else 1.0


def _points(metric: str) -> str:
    return "points" if is_share(metric) else ""


def _named(number: str, metric: str) -> str:
    return f"{number} % {title(metric)}" if is_share(metric) else f"{title(metric)} {number}"


def _rounded(numbers: Sequence[float]) -> list[str]:
    """Round to one digit more than half the interval, the last two numbers, begins with."""
    half = (numbers[-1] - numbers[-2]) / 2 if len(numbers) > 1 else abs(numbers[0]) / 100
    decimals = 1 if half <= 0 else min(_MOST_DECIMALS, max(0, 1 - math.floor(math.log10(half) + 0.3)))
    return [f"{round(number, decimals) + 0.0:,.{decimals}f}".replace("-", "−") for number in numbers]
