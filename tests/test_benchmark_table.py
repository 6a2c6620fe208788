"""The README's figures are those that were measured."""

from __future__ import annotations

import pytest

from tests.benchmarks.engine import table
from tests.benchmarks.engine.processes import NETWORKS
from tests.benchmarks.engine.rounds import fastest, speed_ratio

FOUND = {
    "workload": "W3",
    "load": [0.5, 1.0],
    "machine": {
        "cpu": "A CPU", "cpus": 2, "system": "Linux x86_64", "python": "3.11.7",
        "peak_gflops": 100.0, "peak_is": "this", "bandwidth_gb": 20.0, "bandwidth_is": "that",
    },
    "contenders": {
        name: {"failure": "cannot"} for name in NETWORKS
    } | {
        "native": {"versions": {"nnlab": "1"}, "cpu": [1e-6, 1e-6, 2e-6]},
        "numpy": {"versions": {"nnlab": "1"}, "cpu": [8e-6, 8e-6, 8e-6]},
        "jax": {"versions": {"jax": "2"}, "cpu": [12e-6, 13e-6, 14e-6]},
        "torch": {"versions": {"torch": "3"}, "cpu": [300e-6, 300e-6, 300e-6]},
    },
}  # fmt: skip


def test_the_readme_tells_what_was_measured() -> None:
    text = table.README.read_text(encoding="utf-8")
    assert table.section(table.read_results()) == text.split(table.START)[1].split(table.END)[0]


def test_the_ratio_is_the_median_of_the_rounds_with_the_extremes() -> None:
    assert speed_ratio(FOUND, "native", "jax") == pytest.approx((12.0, 7.0, 13.0))


def test_ours_is_compared_with_the_fastest_peer() -> None:
    assert fastest(FOUND, NETWORKS, ours=True) == "native"
    assert fastest(FOUND, NETWORKS, ours=False) == "jax"


def test_who_failed_gets_no_number_and_a_reason() -> None:
    written = table.section({"W3": FOUND})
    assert "| 1.00 | 8.00 | 13.0 | 300 | – | – | – | – | **12.0** [7.00 .. 13.0] | 12 |" in written
    assert "Keras: cannot (W3)." in written
