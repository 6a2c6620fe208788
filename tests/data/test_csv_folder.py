"""The folder of CSV datasets: its regular files can be opened, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nnlab.data.catalogue import check, csv_names
from nnlab.data.config import DataConfig
from nnlab.data.errors import DataError
from nnlab.data.preparation import prepare
from tests.data.test_csv_files import HOUSES, build_file


def test_a_file_beyond_the_size_limit_is_refused(tmp_path: Path) -> None:
    config = build_file(tmp_path, b"a,b\n")
    os.truncate(tmp_path / "houses.csv", 20_000_001)
    with pytest.raises(DataError, match=r"at most 20,000,000 bytes, 'houses\.csv' has more"):
        check(config, tmp_path)


def test_a_missing_file_is_answered_with_those_there(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv"):
        build_file(tmp_path, HOUSES, name)
    with pytest.raises(DataError) as caught:
        check(DataConfig(dataset="houses.csv"), tmp_path)
    assert str(caught.value) == (
        f"no file 'houses.csv' among the CSV datasets (a.csv, b.csv); put it into the folder {tmp_path} "
        "or choose another dataset"
    )
    assert caught.value.field == "dataset"


def test_a_service_without_a_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no folder of CSV datasets"):
        check(DataConfig(dataset="houses.csv"))
    with pytest.raises(DataError, match="none yet"):
        check(DataConfig(dataset="houses.csv"), tmp_path / "absent")


@pytest.mark.parametrize(
    "name",
    [
        "../houses.csv", "/etc/houses.csv", "sub/houses.csv", "..\\houses.csv", "sub\\houses.csv",
        "C:houses.csv", ".csv", ".hidden.csv", "..csv", "a\0.csv", "a\n.csv",
        "./houses.csv", "houses.csv/../houses.csv",
    ],
)  # fmt: skip
def test_a_name_that_is_a_path_is_refused_whether_or_not_it_exists(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for place in (tmp_path, folder, folder / "sub"):
        build_file(place, HOUSES)
        build_file(place, HOUSES, ".hidden.csv")
    with pytest.raises(DataError) as caught:
        check(DataConfig(dataset=name), folder)
    assert str(caught.value) == f"expected a plain file name such as houses.csv, got {name!r}"


def test_only_regular_files_are_datasets(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    build_file(tmp_path, HOUSES, "outside.csv")
    build_file(folder, HOUSES, "inside.csv")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    (folder / "dangling.csv").symlink_to(tmp_path / "absent.csv")
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    assert csv_names(folder) == ("inside.csv",)
    for name in ("link.csv", "dangling.csv", "folder.csv", "pipe.csv"):
        with pytest.raises(DataError, match=f"no file '{name}' among the CSV datasets \\(inside.csv\\)"):
            check(DataConfig(dataset=name), folder)


def test_a_file_exchanged_for_a_link_or_a_pipe_after_the_listing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    build_file(tmp_path, HOUSES, "outside.csv")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    os.mkfifo(folder / "pipe.csv")
    monkeypatch.setattr("nnlab.data.csv_files.csv_names", lambda _folder: ("link.csv", "pipe.csv"))
    with pytest.raises(DataError, match=r"cannot read 'link\.csv'"):
        check(DataConfig(dataset="link.csv"), folder)
    with pytest.raises(DataError, match=r"expected 'pipe\.csv' to be a regular file"):
        check(DataConfig(dataset="pipe.csv"), folder)


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    config = build_file(tmp_path, HOUSES)
    before = prepare(config, tmp_path)
    assert prepare(config, tmp_path).version == before.version
    build_file(tmp_path, HOUSES + "1,2,red,4\n")
    assert prepare(config, tmp_path).version != before.version
