"""``python -m nnlab`` is the console script ``nnlab``."""

from __future__ import annotations

from nnlab.cli import main

main()
