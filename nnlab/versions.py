"""What runs here: the versions that matter for a result, and the engine's tier."""

from __future__ import annotations

import os
import platform
from importlib import metadata

from nnlab.engine.native import library


def engine() -> str:
    """Say which tier trains on this machine; where it is not the native one, why.

    Raises:
        LibraryError: where the environment asks for the native tier, or for a build of it, that is not here.
    """
    asked = os.environ.get("NNLAB_TIER", "auto")
    if asked == "numpy":
        return "NumPy (as NNLAB_TIER asks)"
    found = library.load()
    if found is not None:
        return f"native, {found.isa}"
    if asked == "native":
        raise library.LibraryError(f"NNLAB_TIER=native: {library.why_missing()}")
    return f"NumPy ({library.why_missing()})"


def lines() -> list[str]:
    """Return one line for each version, for ``nnlab version``.

    Raises:
        LibraryError: as ``engine``.
    """
    return [
        f"nnlab {metadata.version('nnlab')}",
        f"Python {platform.python_version()}",
        f"NumPy {metadata.version('numpy')}",
        f"Engine: {engine()}",
    ]
