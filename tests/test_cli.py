"""The console script: how it ends where it cannot begin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnlab import cli, versions
from nnlab.engine.native import library
from tests.engine.native import needs_native


def test_a_data_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {**os.environ, "NNLAB_HOME": str(tmp_path / "file")}
    done = subprocess.run(
        [sys.executable, "-m", "nnlab", "up"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("nnlab: cannot make its data folder: ")
    assert done.stderr.endswith("set NNLAB_HOME to another one\n")
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_while_a_command_begins_ends_it_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("django.core.management.execute_from_command_line", interrupted)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130


@pytest.mark.parametrize(("words", "told"), [(["help"], "    sync\n"), (["help", "sync"], "--url URL")])
def test_the_help_knows_of_sync(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["nnlab", *words])
        cli.main()
    assert told in capsys.readouterr().out


@pytest.mark.parametrize("word", ["version", "--version"])
def test_the_versions_that_matter_for_a_result_are_told(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = versions_told(word, capsys)
    assert [line.split()[0] for line in lines] == ["nnlab", "Python", "NumPy", "Engine:"]
    assert lines[-1] == f"Engine: {versions.engine()}"


def test_an_engine_that_is_asked_for_and_missing_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_builds(tmp_path, monkeypatch)
    monkeypatch.setenv("NNLAB_TIER", "native")
    with pytest.raises(SystemExit, match=r"^nnlab: expected the native tier, .* no native library was built"):
        versions_told("version", capsys)


def test_numpy_is_named_with_the_reason_why_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_builds(tmp_path, monkeypatch)
    assert versions_told("version", capsys)[-1].startswith("Engine: NumPy (no native library was built")


@needs_native
def test_numpy_is_named_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NNLAB_TIER", "numpy")
    assert versions_told("version", capsys)[-1] == "Engine: NumPy (as NNLAB_TIER asks)"


def versions_told(word: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["nnlab", word])
        cli.main()
    return capsys.readouterr().out.splitlines()


def without_builds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there was no compiler."""
    for variable in ("NNLAB_TIER", "NNLAB_ISA", "NNLAB_NATIVE_LIBRARY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(library, "BUILT", folder)
    library.load.cache_clear()
    monkeypatch.setattr(library, "load", library.load.__wrapped__)  # nothing of this is kept
