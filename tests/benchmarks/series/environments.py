"""Makes an environment for each peer, its versions pinned; the product and its tests need none of them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.benchmarks.series.places import ENVIRONMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

REQUIREMENTS = {
    "mlflow": ("mlflow==3.17.2", "psycopg2-binary==2.9.13"),
    "aim": ("aim==3.29.1",),
    "tensorboard": ("tensorboard==2.21.0", "tensorboardX==2.6.5"),
    "trackio": ("trackio==0.43.0",),
    "wandb": ("wandb==0.31.0", "numpy==2.4.6"),
}


def python_of(name: str) -> Path:
    """Name the interpreter of a peer's environment."""
    return ENVIRONMENTS / name / "bin" / "python"


def make(names: Iterable[str] = REQUIREMENTS) -> dict[str, str]:
    """Install peers, unless that is done; give the last words of the installer where it failed, by peer."""
    failures = {}
    for name in names:
        finished = ENVIRONMENTS / name / "finished"
        wanted = "\n".join(REQUIREMENTS[name])
        if finished.exists() and finished.read_text(encoding="utf-8") == wanted:
            continue
        print(f"installing {', '.join(REQUIREMENTS[name])} into {ENVIRONMENTS / name}", flush=True)
        failure = _install(name)
        if failure:
            failures[name] = failure
        else:
            finished.write_text(wanted, encoding="utf-8")
    return failures


def _install(name: str) -> str:
    home = ENVIRONMENTS / name
    install = [str(python_of(name)), "-m", "pip", "install", "--quiet", *REQUIREMENTS[name]]
    for command in ([sys.executable, "-m", "venv", str(home)], install):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines()
            return f"cannot be installed: {said[-1] if said else f'exit {done.returncode}'}"
    return ""


if __name__ == "__main__":
    sys.exit("\n".join(f"{name}: {reason}" for name, reason in make().items()))
