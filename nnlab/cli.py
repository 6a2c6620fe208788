"""The console script ``nnlab``: every command is a Django management command."""

from __future__ import annotations

import os
import sys

# Before NumPy is imported: two BLAS threads on each of two busy cores are many times slower than one.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")


def main() -> None:
    """Run one management command, named by the first argument."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nnlab.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - after the environment is set

    execute_from_command_line(sys.argv)
