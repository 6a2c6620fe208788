"""What runs here: the versions that matter for a result, and the engine's tier."""

from __future__ import annotations

import platform
from importlib import metadata

from nnlab.engine.config import TrainingConfig
from nnlab.engine.native import library
from nnlab.engine.tiers import tier_for


def engine() -> str:
    """Say which tier trains on this machine; where it is not the native one, why.

    Raises:
        EngineError: where the environment asks for a tier, or a build of it, that is not here.
    """
    tier = tier_for(TrainingConfig())
    found = library.load() if tier == "native" else None
    if tier == "cupy":
        return "CuPy on a GPU"
    if found is not None:
        return f"native, {found.isa}"
    return f"NumPy ({library.why_missing() or 'as NNLAB_TIER asks'})"


def lines() -> list[str]:
    """Return one line for each version, for ``nnlab version``.

    Raises:
        EngineError: as ``engine``.
    """
    return [
        f"nnlab {metadata.version('nnlab')}",
        f"Python {platform.python_version()}",
        f"NumPy {metadata.version('numpy')}",
        f"Engine: {engine()}",
    ]
