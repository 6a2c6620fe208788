"""Building the shipped files: equal arrays give equal bytes, and only pinned content is read."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnlab.data import shipped, vendor
from nnlab.data.vendor_sources import SOURCES, Wheel, read_penguins


def build_wheel(folder: Path, content: bytes) -> Path:
    path = folder / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archived:
        archived.writestr("thing/data.csv", content)
    return path


def test_an_archive_reads_back_and_repeats_its_bytes() -> None:
    arrays = {"x": np.arange(12.0).reshape(4, 3), "y": np.arange(4, dtype=np.uint8)}
    content = vendor.archive(arrays)
    assert vendor.archive(arrays) == content
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype


def test_members_of_another_content_are_refused(tmp_path: Path) -> None:
    path = build_wheel(tmp_path, b"1,2")
    digest = hashlib.sha256(b"1,2").hexdigest()
    pinned = Wheel("thing", "1.0", "MIT", {"thing/data.csv": digest})
    assert vendor.read_members(pinned, path) == {"data.csv": b"1,2"}
    with pytest.raises(ValueError, match=f"with sha256 {'0' * 64}, got {digest}"):
        vendor.read_members(replace(pinned, members={"thing/data.csv": "0" * 64}), path)


def test_every_source_is_pinned_and_described() -> None:
    for key, source in SOURCES.items():
        described = shipped.descriptions()[key]["source"]
        assert (described["package"], described["version"]) == (source.wheel.package, source.wheel.version)
        assert {m["name"]: m["sha256"] for m in described["members"]} == source.wheel.members
        assert all(len(digest) == 64 for digest in source.wheel.members.values())


def test_descriptions_are_written_as_they_are_kept() -> None:
    text = shipped.DESCRIPTIONS.read_text(encoding="utf-8")
    assert vendor.written(json.loads(text)) == text


def test_penguins_become_codes_and_gaps() -> None:
    rows = "species,island,mass,sex\nGentoo,B,NA,male\nAdelie,A,3.5,NA\n"
    arrays = read_penguins({"penguins.csv": rows.encode()})
    np.testing.assert_array_equal(arrays.x, [[1, np.nan, 0], [0, 3.5, np.nan]])
    assert arrays.y.tolist() == [1, 0]
    assert [(c.kind, c.missing, c.labels) for c in arrays.columns] == [
        ("categorical", 0, ("A", "B")),
        ("numeric", 1, ()),
        ("categorical", 1, ("male",)),
    ]
