"""Finds and loads the compiled core: the best of its builds that this CPU can run."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

ABI = 3  # of the C functions: raised, here and in the core, with every change of what they take or give
SOURCES = Path(__file__).parent
BUILT = SOURCES / "built"
PROJECT = SOURCES.parents[2] / "pyproject.toml"  # there in a checkout only

_LEVELS: Mapping[str, int] = {"v2": 2, "v3": 3, "v4": 4}  # of x86-64
_NAMES: Mapping[str, str] = {"neon": "NEON", **{build: f"x86-64-{build}" for build in _LEVELS}}
_INSTALL = "run `pip install --no-deps --editable .` again"


class LibraryError(EngineError):
    """A build of the core that is not there, or cannot be used here."""


@dataclass(frozen=True)
class Library:
    """A build of the core, ready to be called.

    Args:
        isa: the instruction set that it was built for, as people read it; ``custom`` for a file asked for.
        functions: its C functions. A call gives up the GIL.
    """

    isa: str
    functions: ctypes.CDLL


@cache
def load() -> Library | None:
    """Load the core once a process; None where there is none to use, for which ``why_missing`` has the words.

    NNLAB_ISA (v2, v3, v4, neon) asks for one build, NNLAB_NATIVE_LIBRARY for a file.

    Raises:
        LibraryError: where what the environment asks for cannot be had.
    """
    try:
        return _find()
    except LibraryError:
        if _asked_for():  # to take another one silently would hide the mistake
            raise
        return None


def why_missing() -> str:
    """Say why ``load`` gives None, and the remedy; empty where it gives a library."""
    try:
        _find()
    except LibraryError as error:
        return str(error)
    return ""


def _asked_for() -> bool:
    return bool(os.environ.get("NNLAB_NATIVE_LIBRARY") or os.environ.get("NNLAB_ISA"))


def _find() -> Library:
    path = os.environ.get("NNLAB_NATIVE_LIBRARY")
    if path:
        return _open(Path(path), isa="custom")
    builds, asked = _builds(), os.environ.get("NNLAB_ISA")
    if asked and asked not in builds:
        raise LibraryError(f"NNLAB_ISA: expected one of the builds here ({', '.join(builds)}), got {asked!r}")
    usable = _usable(builds)
    if asked and asked not in usable:
        raise LibraryError(
            f"NNLAB_ISA: expected a build that this CPU runs ({', '.join(usable) or 'none'}), got {asked!r}"
        )
    if not usable:
        raise LibraryError(f"this CPU runs none of the native builds here ({', '.join(builds)})")
    build = asked or usable[-1]
    _refuse_if_outdated(builds[build])
    return _open(builds[build], _NAMES[build])


def _builds() -> dict[str, Path]:
    """Return the files that were built, by the short name of their instruction set."""
    files = {
        build: path
        for build, name in _NAMES.items()
        for suffix in EXTENSION_SUFFIXES
        if (path := BUILT / f"{name.lower().replace('-', '_')}{suffix}").is_file()
    }
    if not files:
        raise LibraryError(
            "no native library was built: there was no C++ compiler at installation, or it failed; install"
            f" g++ 11 or newer and {_INSTALL} (--verbose shows what fails)"
        )
    return files


def _usable(builds: Mapping[str, Path]) -> list[str]:
    """Return the builds that this CPU runs, the best last."""
    if "v2" not in builds:
        return [build for build in builds if build == "neon"]
    level = int(_open(builds["v2"], _NAMES["v2"]).functions.nn_cpu_level())
    return [build for build, needed in _LEVELS.items() if build in builds and needed <= level]


def _refuse_if_outdated(path: Path) -> None:
    """Refuse a build of a checkout whose sources have changed since: it may read memory in another order."""
    if not PROJECT.is_file():
        return
    built = path.stat().st_mtime
    sources = (*SOURCES.glob("*.cpp"), *SOURCES.glob("*.h"))
    newer = sorted(source.name for source in sources if source.stat().st_mtime > built)
    if newer:
        raise LibraryError(
            f"the native library {path} is older than its sources ({', '.join(newer)}); {_INSTALL}"
        )


def _open(path: Path, isa: str) -> Library:
    """Load a file, unless it is of another version than this module."""
    try:
        functions = ctypes.CDLL(str(path))
        abi = int(functions.nn_abi())
    except (OSError, AttributeError) as error:
        raise LibraryError(f"expected nnlab's native library in {path}, got: {error}") from error
    if abi != ABI:
        raise LibraryError(
            f"the native library {path} was built from other sources: expected version {ABI}, got {abi};"
            f" {_INSTALL}"
        )
    return Library(isa, functions)
