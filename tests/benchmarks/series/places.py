"""Where the benchmark keeps what it installs and what it makes: all of it under build/."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.pipes import ROOT

BUILD = ROOT / "build"
ENVIRONMENTS = BUILD / "bench-series-venvs"
HOME = BUILD / "bench-series"
DATA, LOGS, STORES = HOME / "data", HOME / "logs", HOME / "stores"
RESULTS = Path(__file__).parent / "results"
