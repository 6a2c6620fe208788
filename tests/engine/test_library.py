"""The compiled core: which build is loaded, and what is said where none is."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from nnlab.engine.native import library
from nnlab.engine.native.library import LibraryError
from tests.engine.native import needs_native

ON_X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="speaks of the builds for x86-64")


@pytest.fixture(autouse=True)
def _as_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in ("NNLAB_ISA", "NNLAB_NATIVE_LIBRARY"):
        monkeypatch.delenv(variable, raising=False)
    library.load.cache_clear()
    yield
    library.load.cache_clear()


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of builds that a test fills itself."""
    monkeypatch.setattr(library, "BUILT", tmp_path)
    return tmp_path


def put(build: str, folder: Path, original: Path = library.BUILT) -> Path:
    """Copy one of the real builds, so that the one of the checkout stays as it is."""
    return Path(shutil.copy(original / f"x86_64_{build}.abi3.so", folder))


def test_the_native_engine_is_here_where_it_is_required() -> None:
    if not os.environ.get("NNLAB_REQUIRE_NATIVE") and library.load() is None:
        pytest.skip(f"NOT TESTED: the native engine: {library.why_missing()}")
    assert library.why_missing() == ""


@needs_native
def test_the_best_build_that_this_cpu_runs_is_loaded() -> None:
    found = library.load()
    assert found is not None
    assert library.why_missing() == ""
    level = found.functions.nn_cpu_level()
    assert found.isa == (f"x86-64-v{level}" if level else "NEON")


def test_every_build_of_the_installation_has_a_name_to_ask_for() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    built = {module["name"] for module in project["tool"]["setuptools"]["ext-modules"]}
    folder = "nnlab.engine.native.built"
    assert built == {f"{folder}.x86_64_v2", f"{folder}.x86_64_v3", f"{folder}.x86_64_v4", f"{folder}.neon"}
    assert set(library._NAMES) == {"v2", "v3", "v4", "neon"}


@needs_native
def test_the_library_is_loaded_once() -> None:
    assert library.load() is library.load()


@needs_native
def test_every_build_needs_the_c_library_at_most() -> None:
    files = sorted(library.BUILT.glob("*.so"))
    assert files
    assert [file for file in files if b"libstdc++" in file.read_bytes()] == []
    assert [file for file in files if b"libgcc_s" in file.read_bytes()] == []


@needs_native
@ON_X86
@pytest.mark.parametrize("build", ["v2", "v3", "v4"])
def test_one_build_can_be_asked_for(build: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLAB_ISA", build)
    best = library._usable(library._builds())
    if build not in best:
        pytest.skip(f"this CPU does not run {build}")
    found = library.load()
    assert found is not None
    assert found.isa == f"x86-64-{build}"


@needs_native
@ON_X86
def test_a_build_that_is_not_here_is_refused_by_name(builds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put("v2", builds)
    monkeypatch.setenv("NNLAB_ISA", "v3")
    with pytest.raises(LibraryError, match=r"NNLAB_ISA: expected one of the builds here \(v2\), got 'v3'"):
        library.load()


@needs_native
@ON_X86
def test_a_build_beyond_this_cpu_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLAB_ISA", "v4")
    monkeypatch.setattr(library, "_LEVELS", {"v2": 2, "v3": 3, "v4": 99})
    with pytest.raises(LibraryError, match=r"expected a build that this CPU runs \(v2.*\), got 'v4'"):
        library.load()


@needs_native
@ON_X86
def test_a_build_beyond_this_cpu_is_passed_over(builds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for build in ("v2", "v3"):
        put(build, builds)
    monkeypatch.setattr(library, "_LEVELS", {"v2": 2, "v3": 99})
    found = library.load()
    assert found is not None
    assert found.isa == "x86-64-v2"


@pytest.mark.usefixtures("builds")
def test_where_nothing_was_built_numpy_trains_and_the_remedy_is_named() -> None:
    assert library.load() is None
    assert library.why_missing().startswith("no native library was built")
    assert "install g++ 11 or newer and run `pip install" in library.why_missing()


@pytest.mark.usefixtures("builds")
def test_where_nothing_was_built_no_build_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLAB_ISA", "v2")
    with pytest.raises(LibraryError, match="no native library was built"):
        library.load()


@needs_native
def test_a_build_of_other_sources_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "ABI", library.ABI + 1)
    assert library.load() is None
    words = rf"built from other sources: expected version {library.ABI}, got {library.ABI - 1}; run `pip"
    with pytest.raises(LibraryError, match=words):
        library._find()
    assert "built from other sources" in library.why_missing()


@needs_native
@ON_X86
def test_a_build_older_than_its_sources_is_not_loaded_in_a_checkout(
    builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.utime(put("v2", builds), (0, 0))
    assert library.load() is None
    assert re.search(r"is older than its sources \(.*core\.cpp.*\); run `pip", library.why_missing())
    monkeypatch.setattr(library, "PROJECT", builds / "as in an installed wheel")
    library.load.cache_clear()
    assert library.load() is not None


def not_a_library(folder: Path) -> Path:
    (folder / "text.so").write_text("no library")
    return folder / "text.so"


def not_ours(_: Path) -> Path:
    path = import_module("numpy._core._multiarray_umath").__file__
    assert path is not None
    return Path(path)


def nowhere(folder: Path) -> Path:
    return folder / "nowhere.so"


@pytest.mark.parametrize("find", [not_a_library, not_ours, nowhere])
def test_a_file_that_is_not_the_library_is_refused(
    find: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = find(tmp_path)
    monkeypatch.setenv("NNLAB_NATIVE_LIBRARY", str(path))
    with pytest.raises(LibraryError) as refused:
        library.load()
    assert str(refused.value).startswith(f"expected nnlab's native library in {path}, got: ")


@needs_native
@ON_X86
def test_a_file_can_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("v2", tmp_path)
    monkeypatch.setenv("NNLAB_NATIVE_LIBRARY", str(path))
    found = library.load()
    assert found is not None
    assert found.isa == "custom"
    assert found.functions._name == str(path)
