"""Short ways to write families of metrics."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from runs.store.tallies import BOUNDS, Spread

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


def histogram(name: str, text: str, labels: Labels, found: Mapping[Labels, Spread]) -> HistogramMetricFamily:
    """Return a histogram, with a spread for each combination of labels."""
    family = HistogramMetricFamily(name, text, labels=labels)
    for key, spread in found.items():
        buckets = [(str(float(bound)), number) for bound, number in zip(BOUNDS, spread.under, strict=True)]
        family.add_metric(key, [*buckets, ("+Inf", spread.count)], sum_value=spread.total)
    return family
