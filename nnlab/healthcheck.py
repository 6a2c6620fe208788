"""``python -m nnlab.healthcheck ROLE``: exit 0 where a service of the deployment is well.

The web server is asked whether it is ready, with database and broker; worker and scheduler touch a file every
few seconds as long as their loop turns.
It imports neither Django nor Celery: a check that runs every few seconds has to be cheap.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

MAX_SILENCE = 60.0  # seconds
PORT = 8000


def show_life(role: str) -> None:
    """Note that this process is alive and working."""
    _file(role).touch()


def is_well(role: str) -> bool:
    """Whether the service answers, or has shown life lately."""
    if role == "web":
        return _answers()
    path = _file(role)
    return path.exists() and time.time() - path.stat().st_mtime < MAX_SILENCE


def _file(role: str) -> Path:
    return Path(tempfile.gettempdir()) / f"nnlab-{role}-{os.getuid()}.alive"


def _answers() -> bool:
    host = os.environ.get("NNLAB_ALLOWED_HOSTS", "localhost").split(",")[0].lstrip(".")
    try:
        with urlopen(Request(f"http://127.0.0.1:{PORT}/readyz", headers={"Host": host}), timeout=8) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if is_well(sys.argv[1]) else 1)
