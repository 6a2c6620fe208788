"""Who may import whom: the contracts hold, and the science packages are light in a bare interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCIENCE = ("engine", "data", "health", "series", "stats", "search", "client")
HEAVY = ("django", "celery", "kombu", "plotly", "cupy", "sklearn", "pandas", "pyarrow", "optuna", "runs")

BARE = """
import pkgutil, sys, importlib
package = importlib.import_module(sys.argv[1])
names = [found.name for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    importlib.import_module(name)
heavy = [name for name in sys.argv[2:] if name in sys.modules]
print(len(names), *heavy)
"""


def bare(*arguments: str) -> str:
    """Run a command away from the test run's own settings and modules."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DJANGO")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("package", SCIENCE)
def test_a_science_package_loads_nothing_of_the_service(package: str) -> None:
    count, *heavy = bare("-c", BARE, f"nnlab.{package}", *HEAVY).split()
    assert heavy == []
    assert int(count) > 0


@pytest.mark.parametrize("package", sorted(set(SCIENCE) - {"stats"}))
def test_only_the_statistics_load_scipy(package: str) -> None:
    _, *heavy = bare("-c", BARE, f"nnlab.{package}", "scipy").split()
    assert heavy == []


def test_importing_the_project_package_loads_nothing() -> None:
    assert (
        bare("-c", "import sys, nnlab; print([m for m in sys.modules if m.startswith('nnlab.')])") == "[]\n"
    )


def test_the_import_contracts_hold() -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    assert "0 broken" in bare("-c", code)
