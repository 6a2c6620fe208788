"""Backups: every value comes back as it was, and what does not fit is refused before anything changes."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.test import override_settings

from runs import backup
from runs.backup.archive import MANIFEST
from runs.backup.saving import new_file
from runs.backup.tables import empty, tables
from runs.models import Project, Run, Status, Trace
from tests.runs.builders import (
    build_alert,
    build_finished_run,
    build_run,
    build_running_run,
    build_series,
    build_user,
)

pytestmark = pytest.mark.django_db

AWKWARD = {"big": 10**30, "text": "Ünï\u2028code", "nested": [1, {"a": None}]}


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Any:
    folder = tmp_path / "home"
    (folder / "datasets" / "deep").mkdir(parents=True)
    with override_settings(NNLAB_HOME=folder):
        yield folder


@pytest.fixture
def file(home: Path, tmp_path: Path) -> Path:
    (home / "datasets" / "deep" / "houses.csv").write_bytes(b"a,b\r\n1,2\r\n")
    return saved(tmp_path / "backup")


def saved(path: Path) -> Path:
    with new_file(path) as file:
        backup.save(file)
    return path


def contents() -> dict[str, bytes]:
    return {name: b"".join(table.encoded()) for name, table in tables().items() if name != "runs_release"}


def wipe() -> None:
    empty(tables().values())
    ContentType.objects.clear_cache()


def rewritten(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The same backup with another manifest."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(path.with_name("rewritten"), "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == MANIFEST:
                manifest = json.loads(data)
                change(manifest)
                data = json.dumps(manifest).encode()
            new.writestr(name, data)
    return path.with_name("rewritten")


def test_every_value_comes_back_bit_for_bit(tmp_path: Path) -> None:
    run = build_finished_run(score=float.fromhex("0x1.fffffffffffffp-3"), info=AWKWARD)
    build_series(run, "train_loss", [0.1, float("nan"), float("-inf"), 5e-324])
    build_alert(run)
    Trace.objects.create(run=run, number=1, data=bytes(range(256)))
    build_user("submit_sweep", name="ada").groups.create(name="Readers")
    before = contents()
    file = saved(tmp_path / "backup")
    wipe()
    assert contents() != before
    backup.restore(file)
    assert contents() == before


def test_a_number_is_never_given_to_a_second_row(tmp_path: Path) -> None:
    last = build_run()
    last_id = last.pk
    last.delete()
    file = saved(tmp_path / "backup")
    wipe()
    backup.restore(file)
    assert build_run().pk == last_id + 1


def test_data_files_come_back_and_the_backup_is_for_its_owner_only(file: Path, home: Path) -> None:
    houses = home / "datasets" / "deep" / "houses.csv"
    houses.unlink()
    wipe()
    backup.restore(file)
    assert houses.read_bytes() == b"a,b\r\n1,2\r\n"
    assert [path.name for path in home.iterdir()] == ["datasets"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_was_being_trained_is_queued_again(tmp_path: Path) -> None:
    run = build_running_run()
    file = saved(tmp_path / "backup")
    wipe()
    backup.restore(file)
    run.refresh_from_db()
    assert (run.status, run.token) == (Status.QUEUED, None)


def test_a_database_with_anything_in_it_is_left_alone_unless_it_shall_be_replaced(file: Path) -> None:
    mine = build_run()
    with pytest.raises(backup.BackupError, match=r"not empty \(.*--replace"):
        backup.restore(file)
    assert Run.objects.get() == mine
    backup.restore(file, replace=True)
    assert not Run.objects.exists()


def test_another_data_file_is_left_alone_unless_it_shall_be_replaced(file: Path, home: Path) -> None:
    wipe()
    houses = home / "datasets" / "deep" / "houses.csv"
    houses.write_text("mine")
    with pytest.raises(backup.BackupError, match=r"houses\.csv is another file"):
        backup.restore(file)
    assert houses.read_text() == "mine"
    backup.restore(file, replace=True)
    assert houses.read_bytes() == b"a,b\r\n1,2\r\n"


@pytest.mark.parametrize("place", [place / 20 for place in range(20)])
def test_a_changed_byte_is_noticed_unless_it_changes_nothing(file: Path, place: float) -> None:
    made = backup.examine(file)
    data = bytearray(file.read_bytes())
    data[int(len(data) * place)] ^= 0x55
    file.write_bytes(data)
    try:
        found = backup.examine(file)
    except backup.BackupError:
        return
    assert found == made  # it was a time or a flag that nobody reads


def test_a_damaged_backup_changes_nothing(file: Path) -> None:
    damaged = rewritten(file, lambda it: it["tables"]["runs_run"].update(sha256="0" * 64))
    mine = build_run()
    with pytest.raises(backup.BackupError, match="damaged: tables/runs_run is not as it was written"):
        backup.restore(damaged, replace=True)
    assert Run.objects.get() == mine


def test_a_cut_file_is_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(backup.BackupError, match="damaged, or no backup"):
        backup.examine(file)


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("photo.jpg", b"")
    with pytest.raises(backup.BackupError, match="has no manifest"):
        backup.examine(other)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda it: it.update(format=2), "expected a backup of format 1, got 2"),
        (lambda it: it["migrations"].append(["runs", "0999_later"]), "newer .*0999_later.*upgrade nnlab"),
        (lambda it: it["migrations"].remove(["runs", "0001_initial"]), "older .*0001_initial.*nnlab prepare"),
        (lambda it: it["tables"]["runs_run"]["columns"].pop(), "tables differ"),
        (lambda it: it["tables"].pop("runs_run"), "differ in tables/runs_run"),
        (lambda it: it.pop("tables"), "damaged"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(
    file: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    with pytest.raises(backup.BackupError, match=words):
        backup.examine(rewritten(file, change))


def test_a_file_name_that_leads_elsewhere_is_refused(file: Path) -> None:
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(file.with_name("evil"), "w") as new:
        for name in old.namelist():
            found = "datasets/deep/houses.csv"
            data = old.read(name).replace(found.encode(), b"datasets/../secret-key/x")
            new.writestr(name.replace(found, "datasets/../secret-key/x"), data)
    with pytest.raises(backup.BackupError, match="expected files in datasets"):
        backup.examine(file.with_name("evil"))


@pytest.mark.django_db(transaction=True)
def test_rows_that_the_database_refuses_leave_everything_as_it_was(tmp_path: Path) -> None:
    mine = build_run()
    file = saved(tmp_path / "backup")
    with pytest.raises(backup.BackupError, match="expected 7 rows of runs_run, got 1"):
        backup.restore(rewritten(file, lambda it: it["tables"]["runs_run"].update(rows=7)), replace=True)
    assert Run.objects.get() == mine
    assert Project.objects.exists()


def test_a_backup_needs_no_seeking(tmp_path: Path) -> None:
    class Pipe(BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError("not seekable")

    build_run()
    pipe = Pipe()
    backup.save(pipe)
    file = tmp_path / "backup"
    file.write_bytes(pipe.getvalue())
    wipe()
    backup.restore(file)
    assert Run.objects.count() == 1


def test_the_commands_say_what_they_did_and_refuse_to_overwrite(tmp_path: Path, capsys: Any) -> None:
    build_run()
    file = tmp_path / "backup"
    call_command("backup", file)
    with pytest.raises(CommandError, match="exists already; choose another name"):
        call_command("backup", file)
    call_command("restore", file, "--check")
    with pytest.raises(CommandError, match="nothing was restored: the database is not empty"):
        call_command("restore", file)
    call_command("restore", file, "--replace")
    with override_settings(SECRET_KEY="another"):
        call_command("restore", file, "--replace")
    printed = capsys.readouterr().out
    assert "whole, and can be restored" in printed
    assert printed.count("restored.\n") == 3
    assert printed.count("The secret key is not the one of the backup") == 1


def test_a_backup_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_file(tmp_path / "backup"):
        1 / 0  # noqa: B018
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
