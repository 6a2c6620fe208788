"""Makes the peers' own environment, build/bench-venv; the product and its tests need none of it."""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks.engine.processes import PEERS

# One call each, in this order: Keras takes what is there, and torch must be the build without CUDA.
REQUIREMENTS = (
    ["torch==2.13.0"],
    ["jax==0.10.2", "jaxlib==0.10.2", "scikit-learn==1.9.1"],
    ["keras==3.15.1"],
)
FINISHED = PEERS.parents[1] / "finished"


def make() -> None:
    """Install the peers, unless that is done."""
    if FINISHED.exists():
        return
    home = PEERS.parents[1]
    print(f"installing the peers into {home}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    for requirements in REQUIREMENTS:
        subprocess.run([PEERS, "-m", "pip", "install", "--quiet", *requirements], check=True)
    FINISHED.touch()


if __name__ == "__main__":
    make()
