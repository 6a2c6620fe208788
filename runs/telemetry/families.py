"""Short ways to write families of metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

Labels = tuple[str, ...]


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    """Return a gauge without labels."""
    return GaugeMetricFamily(name, text, value=value)


def gauges(name: str, text: str, labels: Labels, values: Mapping[Labels, float]) -> GaugeMetricFamily:
    """Return a gauge with a value for each combination of labels."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def counters(name: str, text: str, label: str, values: Mapping[str, float]) -> CounterMetricFamily:
    """Return a counter with a value for each value of its label."""
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def histogram(
    name: str, text: str, labels: Labels, found: Iterable[tuple[Labels, Sequence[float], float, float]]
) -> HistogramMetricFamily:
    """Return a histogram.

    Args:
        found: for each combination of labels how many lie at or under each of ``BOUNDS``, how many there are,
            and their sum.
    """
    family = HistogramMetricFamily(name, text, labels=labels)
    for key, under, count, total in found:
        buckets = [(str(float(bound)), number) for bound, number in zip(BOUNDS, under, strict=True)]
        family.add_metric(key, [*buckets, ("+Inf", count)], sum_value=total)
    return family


BOUNDS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)  # seconds
