"""Programs that do the same thing with several processes at once, on a database and a broker of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.services.installation import CHECKOUT, clean_environment
from tests.services.stores import broker, postgresql


def told_by(program: str, folder: Path, database: str, *words: str) -> Any:
    """Run a module of these tests on an empty SQLite or PostgreSQL; return what its last line tells."""
    environment = {**clean_environment(folder / "home"), "DJANGO_SETTINGS_MODULE": "nnlab.settings"}
    environment.pop("DATABASE_URL", None)
    with ExitStack() as stack:
        environment["REDIS_URL"] = stack.enter_context(broker(folder))
        if database == "postgresql":
            environment["DATABASE_URL"] = stack.enter_context(postgresql(folder / "postgres"))

        def run(*words: str) -> str:
            command = [sys.executable, *words]
            return subprocess.check_output(command, env=environment, cwd=CHECKOUT, text=True)

        run("manage.py", "migrate", "-v0")
        return json.loads(run("-m", f"tests.services.{program}", *words).splitlines()[-1])
