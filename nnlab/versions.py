"""What runs here: the versions that matter for a result, and the engine's tier."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from nnlab.engine.config import TrainingConfig
from nnlab.engine.native import library
from nnlab.engine.tiers import tier_for

_PACKAGE = Path(__file__).parent
# What the numbers of a run depend on, as far as every installation has it: the core is there compiled.
_DECISIVE = ("engine/**/*.py", "engine/**/*.h", "data/**/*.py")
_RULES = ("health/**/*.py", "health/**/*.json")


@dataclass(frozen=True)
class Machine:
    """What trains on this machine where a run asks for nothing else.

    Args:
        isa: the instruction set of the native tier; else empty.
    """

    device: str
    tier: str
    isa: str


def machine() -> Machine:
    """Describe this machine.

    Raises:
        EngineError: as ``engine``.
    """
    tier = tier_for(TrainingConfig())
    found = library.load() if tier == "native" else None
    return Machine(device(tier), tier, found.isa if found else "")


@cache
def device(tier: str) -> str:
    """Name what a tier computes on."""
    return "GPU" if tier == "cupy" else _processor()


@cache
def engine_code() -> str:
    """Return a hash of the code that results depend on: 12 hexadecimal digits.

    It is that of the files when it is first asked for, which a process does when it starts.
    """
    return _hash(_DECISIVE)


@cache
def health_code() -> str:
    """Return a hash of the rules that watch runs, as ``engine_code`` does for results."""
    return _hash(_RULES)


@cache
def numbers() -> dict[str, str]:
    """Return the versions of what takes part in a result, by name."""
    return {
        "nnlab": metadata.version("nnlab"),
        "engine": engine_code(),
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
    }


def _hash(patterns: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in _PACKAGE.glob(pattern)):
        digest.update(f"{path.relative_to(_PACKAGE).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _processor() -> str:
    """Name the processor as its maker does, where the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())[:100]


def engine() -> str:
    """Say which tier trains on this machine; where it is not the native one, why.

    Raises:
        EngineError: where the environment asks for a tier, or a build of it, that is not here.
    """
    found = machine()
    if found.tier == "cupy":
        return "CuPy on a GPU"
    if found.tier == "native":
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
