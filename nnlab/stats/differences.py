"""Is one group better than another? Paired by seed where seeds are shared, else Welch."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from scipy import special

from nnlab.stats.errors import StatsError
from nnlab.stats.intervals import Interval, mean_interval, t_factor

ROUNDING = 1e-9  # of a mean: a spread below this share of it is none

Seed = TypeVar("Seed", bound=Hashable)


@dataclass(frozen=True)
class Difference:
    """How much higher ``after`` is than ``before``.

    Args:
        low: lower end of the t interval; None where there are too few seeds for one, or all differ by the
            same, and not by 0.
        high: upper end, likewise.
        p_value: of no difference, for two sides; None where there is no interval.
        paired: each seed compared with itself; else Welch's interval for two separate groups.
        n_before: seeds of ``before`` that count; the same as ``n_after`` where paired.
        n_after: seeds of ``after`` that count.
        diverged: runs of both groups without a finite value; they do not count.
        unpaired: finished runs that do not count, because the other group lacks their seed.
        error: standard error of the mean difference; None where there is no interval.
        degrees: its degrees of freedom, likewise.
    """

    mean: float
    low: float | None
    high: float | None
    p_value: float | None
    paired: bool
    n_before: int
    n_after: int
    diverged: int
    unpaired: int
    error: float | None = None
    degrees: float | None = None

    @property
    def found(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    def sentence(self, unit: str = "", scale: float = 1.0) -> str:
        """Say it in one sentence, such as "0.8 points higher [0.2, 1.4], 5 seeds".

        Args:
            unit: stands behind the number; "" for none.
            scale: what the values are multiplied by: 100 to say shares in points.
        """
        said = self._verdict(f" {unit}" if unit else "", scale)
        return f"{said}; {self.diverged} diverged, left out" if self.diverged else said

    def _verdict(self, unit: str, scale: float) -> str:
        seeds = f"{self.n_before} seed{'s' if self.n_before > 1 else ''}"
        if not self.paired:
            seeds = f"{self.n_before} and {self.n_after} seeds"
        if self.low is None or self.high is None:
            if self.mean == 0:
                return f"equal, {seeds}: no interval"
            size = f"{_rounded(abs(self.mean * scale), 3)}{unit} {_direction(self.mean * scale)}"
            alike = ", the same for all" if min(self.n_before, self.n_after) > 1 else ""
            return f"{size}{alike}, {seeds}: no interval"
        mean, *ends = (end * scale for end in (self.mean, self.low, self.high))
        if not self.found:
            low, high = _same_decimals(sorted(ends))
            return f"no difference found [{low}, {high}]{unit}, {seeds}"
        size, low, high = _same_decimals([abs(mean), *sorted(abs(end) for end in ends)])
        return f"{size}{unit} {_direction(mean)} [{low}, {high}], {seeds}"


def difference(
    before: Mapping[Seed, float | None], after: Mapping[Seed, float | None], confidence: float = 0.95
) -> Difference:
    """Compare two groups of runs, given as the value of each seed.

    Two or more shared seeds are compared pair by pair, which takes out what the seeds have in common; seeds
    of only one group are then left out and counted. With fewer, Welch's interval needs two seeds a group.

    Args:
        before: value by seed; None, NaN or infinite where the run diverged.
        after: likewise.
        confidence: of the interval.

    Raises:
        StatsError: for a group without any finished run.
    """
    old, new = finished(before), finished(after)
    if not old or not new:
        raise StatsError(f"expected a finished run in both groups, got {len(old)} and {len(new)}")
    diverged = len(before) + len(after) - len(old) - len(new)
    shared = [seed for seed in old if seed in new]
    if len(shared) >= 2 or (shared and min(len(old), len(new)) == 1):
        over_seeds = mean_interval([new[seed] - old[seed] for seed in shared], confidence)
        unpaired = len(old) + len(new) - 2 * len(shared)
        return _paired(over_seeds, diverged, unpaired)
    return _welch(list(old.values()), list(new.values()), confidence, diverged)


def holm(p_values: Sequence[float], family: int = 0) -> list[float]:
    """Correct p values for their number, each in its place (Holm 1979).

    Args:
        family: comparisons of which these were picked, where they are more than these.

    Raises:
        StatsError: for a value outside [0, 1].
    """
    family = max(family, len(p_values))
    for p_value in p_values:
        if not 0 <= p_value <= 1:
            raise StatsError(f"expected p values between 0 and 1, got {p_value}")
    corrected = [0.0] * len(p_values)
    least = 0.0
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, index in enumerate(order):
        least = max(least, min(1.0, (family - rank) * p_values[index]))
        corrected[index] = least
    return corrected


def finished(values: Mapping[Seed, float | None]) -> dict[Seed, float]:
    """Leave out the seeds whose run diverged."""
    return {seed: value for seed, value in values.items() if value is not None and math.isfinite(value)}


def _paired(over_seeds: Interval, diverged: int, unpaired: int) -> Difference:
    mean, n, sd = over_seeds.mean, over_seeds.n, over_seeds.sd
    if sd is None or is_constant(mean, sd):
        return Difference(mean, None, None, None, True, n, n, diverged, unpaired)
    error = sd / math.sqrt(n)
    p_value = _p_value(mean, error, n - 1)
    ends = over_seeds.low, over_seeds.high
    return Difference(mean, *ends, p_value, True, n, n, diverged, unpaired, error, n - 1)


def _welch(old: Sequence[float], new: Sequence[float], confidence: float, diverged: int) -> Difference:
    """Compare two separate groups without taking their variances as equal (Welch 1947)."""
    one, two = mean_interval(old, confidence), mean_interval(new, confidence)
    mean = two.mean - one.mean
    nothing = Difference(mean, None, None, None, False, one.n, two.n, diverged, 0)
    if one.sd is None or two.sd is None:
        return nothing
    parts = one.sd / math.sqrt(one.n), two.sd / math.sqrt(two.n)
    error = math.hypot(*parts)
    if is_constant(mean, error):
        return nothing
    degrees = float(one.n + two.n - 2)
    if error > 0:  # Satterthwaite's degrees of freedom, from shares: squares might vanish or be too large
        shares = (parts[0] / error) ** 2, (parts[1] / error) ** 2
        degrees = 1 / (shares[0] ** 2 / (one.n - 1) + shares[1] ** 2 / (two.n - 1))
    reach = float(t_factor(degrees, confidence)) * error
    p_value = _p_value(mean, error, degrees)
    ends = mean - reach, mean + reach
    return Difference(mean, *ends, p_value, False, one.n, two.n, diverged, 0, error, degrees)


def is_constant(mean: float, spread: float) -> bool:
    """Whether differences are all alike but for rounding, and not 0: t would be certain of any of them.

    So it happens where a score has few steps, as an accuracy over 30 rows has: its grain is then all that a
    few seeds show, and how far others would be from them is not known.
    """
    return mean != 0 and spread <= ROUNDING * abs(mean)


def _p_value(mean: float, error: float, degrees: float) -> float:
    if error == 0:
        return 1.0  # then the mean is 0, too
    return float(2 * special.stdtr(degrees, -abs(mean) / error))


def _direction(mean: float) -> str:
    return "lower" if mean < 0 else "higher"


def _same_decimals(numbers: Sequence[float]) -> list[str]:
    """Round to what the width of the interval, the last two numbers, supports."""
    half = (numbers[-1] - numbers[-2]) / 2
    fewest = _decimals(half / 3 if half > 0 else abs(numbers[0]) / 100)
    decimals = fewest
    # An end close to 0 must not read as 0, within reason.
    while decimals < fewest + 3 and any(number != 0 == round(number, decimals) for number in numbers):
        decimals += 1
    return [f"{round(number, decimals) + 0.0:,.{decimals}f}" for number in numbers]


def _rounded(number: float, digits: int) -> str:
    return f"{number:,.{_decimals(number / 10 ** (digits - 1))}f}"


def _decimals(smallest: float) -> int:
    """Decimals needed to show the leading digit of a number."""
    return min(12, max(0, -math.floor(math.log10(smallest)))) if smallest > 0 else 0
