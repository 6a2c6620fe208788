"""The console script: how it ends where it cannot begin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnlab import cli


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
