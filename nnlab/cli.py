"""The console script ``nnlab``: Django's management commands, and two that need no installation."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from nnlab import home
from nnlab import threads as threads  # noqa: PLC0414 - it only has to be imported


def main() -> None:
    """Run one management command, named by the first argument."""
    if sys.argv[1:] in (["version"], ["--version"]):
        _print_versions()
        return
    if sys.argv[1:2] == ["sync"]:
        _sync()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nnlab.settings")
    try:
        _check_folder()
        from django.core.management import execute_from_command_line  # noqa: PLC0415 - the environment is set

        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:  # before anything runs that would have to be stopped
        sys.exit(128 + signal.SIGINT)


def _print_versions() -> None:
    """Print what runs here; Django's own command of this name knows of Django only."""
    from nnlab import versions  # noqa: PLC0415 - the environment is set
    from nnlab.engine.errors import EngineError  # noqa: PLC0415

    try:
        for line in versions.lines():
            sys.stdout.write(f"{line}\n")
    except EngineError as error:
        sys.exit(f"nnlab: {error}")


def _sync() -> NoReturn:
    """Send what training programs have left on this machine, which may have no installation of its own."""
    from nnlab.client import syncing  # noqa: PLC0415 - the environment is set

    try:
        sys.exit(syncing.main(sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _check_folder() -> None:
    """Say what is wrong with NNLAB_HOME before the settings fail over it."""
    try:
        home.data_folder()
    except OSError as error:
        sys.exit(f"nnlab: cannot make its data folder: {error}; set NNLAB_HOME to another one")
