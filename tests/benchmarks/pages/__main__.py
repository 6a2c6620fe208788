"""What pages cost the server, of many runs, on SQLite and PostgreSQL. See ``poe bench-pages``.

Pages are asked for in turn, round after round, in one process for each database; the medians count, without
the first round. Compare of 200 runs has a budget: 2 seconds, and 300 kB for its charts.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.services.installation import CHECKOUT, clean_environment
from tests.services.stores import postgresql

RESULTS = Path(__file__).parent / "results.json"
BUDGETS = {"curves of 200": (2.0, 300_000)}  # seconds, bytes of charts


def main() -> int:
    """Measure on both databases, or on the named one; 1 where a budget is missed."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.pages", description=__doc__)
    parser.add_argument("databases", nargs="*", choices=["sqlite", "postgresql", []], help="both by default")
    parser.add_argument("--rounds", default="5", help="the first is not counted (default 5)")
    parser.add_argument("--beside", default="100000", help="runs of another project (default 100,000)")
    arguments = parser.parse_args()
    further = ["--rounds", arguments.rounds, "--beside", arguments.beside]
    found = {name: measured(name, further) for name in arguments.databases or ["sqlite", "postgresql"]}
    for name, pages in found.items():
        for page, one in pages.items():
            print(
                f"{name:10} {page:24} {1000 * one['seconds']:8.0f} ms {one['queries']:4} queries"
                f" {one['json'] / 1000:7.0f} kB charts {one['html'] / 1000:7.0f} kB in all"
                f" {_verdict(page, one)}"
            )
    RESULTS.write_text(json.dumps({"machine": platform.platform(), **found}, indent=1) + "\n")
    return int(
        any("MISSED" in _verdict(page, one) for pages in found.values() for page, one in pages.items())
    )


def measured(database: str, further: list[str]) -> dict[str, Any]:
    """Give what every page cost in a fresh database."""
    with _environment(database) as environment:
        command = [sys.executable, "-m", "tests.benchmarks.pages.measure", *further]
        done = subprocess.run(
            command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@contextmanager
def _environment(database: str) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="nnlab-pages-") as folder:
        home = Path(folder)
        settings = {"DJANGO_SETTINGS_MODULE": "nnlab.settings"}
        if database == "sqlite":
            yield clean_environment(home, **settings)
        else:
            with postgresql(home / "postgres") as address:
                yield clean_environment(home, DATABASE_URL=address, **settings)


def _verdict(page: str, one: dict[str, Any]) -> str:
    if page not in BUDGETS:
        return ""
    seconds, size = BUDGETS[page]
    return "within budget" if one["seconds"] <= seconds and one["json"] <= size else "BUDGET MISSED"


if __name__ == "__main__":
    raise SystemExit(main())
