"""Build the shipped datasets from pinned wheels: ``python -m nnlab.data.vendor``. Maintainers only."""

from __future__ import annotations

import difflib
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from nnlab.data.generators import GENERATORS, Generator
from nnlab.data.recipes import recipes
from nnlab.data.shipped import DESCRIPTIONS, FILES, Column
from nnlab.data.vendor_sources import SOURCES, Members, Source, Wheel

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip file can hold: equal arrays give equal bytes on any day."""


def main() -> None:
    """Download, check, convert and write everything; print how the descriptions changed."""
    FILES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        items = [build(key, source, Path(folder)) for key, source in SOURCES.items()]
    items += [describe_generator(key, generator) for key, generator in GENERATORS.items()]
    text = written(items)
    before = DESCRIPTIONS.read_text(encoding="utf-8") if DESCRIPTIONS.exists() else ""
    DESCRIPTIONS.write_text(text, encoding="utf-8")
    changes = difflib.unified_diff(
        before.splitlines(), text.splitlines(), "before", "after", lineterm="", n=1
    )
    sys.stdout.write("\n".join(changes) + "\n")


def written(items: list[dict[str, Any]]) -> str:
    """Write the descriptions as JSON, one field a line, so that a diff shows which field changed."""
    objects = [
        ",\n".join(
            f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in item.items()
        )
        for item in items
    ]
    return "[{\n" + "\n}, {\n".join(objects) + "\n}]\n"


def build(key: str, source: Source, folder: Path) -> dict[str, Any]:
    """Write one dataset's file and return its description."""
    members = read_members(source.wheel, download(source.wheel, folder))
    arrays = source.read(members)
    content = archive({"x": arrays.x, "y": arrays.y})
    (FILES / f"{key}.npz").write_bytes(content)
    return {
        "key": key,
        "title": source.title,
        "task": source.task,
        "rows": len(arrays.x),
        "columns": [_column(column) for column in arrays.columns],
        "target": {
            "name": source.target,
            "unit": source.target_unit,
            "scale": source.target_scale,
            "cap": source.target_cap,
            "classes": list(source.classes),
        },
        "image_shape": list(source.image_shape) if source.image_shape else None,
        "source": {
            "package": source.wheel.package,
            "version": source.wheel.version,
            "members": [{"name": name, "sha256": digest} for name, digest in source.wheel.members.items()],
        },
        "file": {"name": f"{key}.npz", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()},
        "licence": {"package": source.wheel.licence, "data": source.data_licence, "checked": None},
        "citation": source.citation,
        "recipes": _recipes(key),
        "generator": None,
    }


def describe_generator(key: str, generator: Generator) -> dict[str, Any]:
    """Describe a dataset that is made when it is asked for."""
    classes = ["-1", "+1"] if generator.task == "binary" else []
    return {
        "key": key,
        "title": generator.title,
        "task": generator.task,
        "rows": generator.rows,
        "columns": [_column(Column(name, "numeric")) for name in ("x1", "x2")],
        "target": {"name": "label", "unit": "", "scale": 1.0, "cap": None, "classes": classes},
        "image_shape": None,
        "source": None,
        "file": None,
        "licence": {"package": "", "data": "", "checked": None},
        "citation": ""
        if key == "moons"
        else "After the TensorFlow Playground, D. Smilkov and S. Carter (2016).",
        "recipes": _recipes(key),
        "generator": {"name": key, "parameters": ["rows", "noise", "split_seed"]},
    }


def download(wheel: Wheel, folder: Path) -> Path:
    """Fetch a wheel of exactly the pinned version, once."""
    stem = wheel.package.replace("-", "_")
    if not list(folder.glob(f"{stem}-*.whl")):
        pin = f"{wheel.package}=={wheel.version}"
        options = ["--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
        subprocess.run([sys.executable, "-m", "pip", "download", *options, pin], check=True)  # noqa: S603 - pinned above
    (path,) = folder.glob(f"{stem}-{wheel.version}-*.whl")
    return path


def read_members(wheel: Wheel, path: Path) -> Members:
    """Read the named files, and only those, out of a wheel.

    Raises:
        ValueError: if a file is not the pinned one.
    """
    contents = {}
    with zipfile.ZipFile(path) as archived:
        for name, expected in wheel.members.items():
            content = archived.read(name)
            found = hashlib.sha256(content).hexdigest()
            if found != expected:
                raise ValueError(f"expected {name} of {path.name} with sha256 {expected}, got {found}")
            contents[Path(name).name] = content
    return contents


def archive(arrays: dict[str, np.ndarray]) -> bytes:
    """Write arrays as an npz whose bytes depend on nothing but the arrays."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archived:
        for name, array in arrays.items():
            member = io.BytesIO()
            # Like beside like compresses better: measured, pixels by rows and measurements by columns.
            order = np.ascontiguousarray if array.dtype == np.uint8 else np.asfortranarray
            np.save(member, order(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", EPOCH)
            entry.create_system = 3  # else it would tell on which system the file was built
            archived.writestr(entry, member.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return content.getvalue()


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "kind": column.kind,
        "unit": column.unit,
        "missing": column.missing,
        "values": list(column.labels),
    }


def _recipes(key: str) -> list[dict[str, Any]]:
    return [{"key": r.key, "title": r.title, "steps": r.to_list()} for r in recipes(key).values()]


if __name__ == "__main__":
    main()
