"""Django's command line; the console script ``nnlab`` is the same with a shorter name."""

from __future__ import annotations

from nnlab.cli import main

if __name__ == "__main__":
    main()
