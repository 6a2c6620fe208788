"""Export to Parquet, where pyarrow is installed: small files with exact types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from runs.exporting import RUN_COLUMNS, Add, ExportError, Row
from runs.reading.series import Points

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError:
    pa = None

ROW_GROUP = 1 << 20  # points, some 40 MB in memory
_RUNS_AT_A_TIME = 1000


class Parquet:
    """Columns of points, series by series; long series are cut and short ones joined into row groups."""

    suffix = "parquet"

    def __init__(self) -> None:
        if pa is None:
            raise ExportError(
                "Parquet files need pyarrow; install it with: python -m pip install pyarrow"
                " (CSV needs nothing more)"
            )

    @contextmanager
    def points(self, path: Path) -> Iterator[Add]:
        """Open a file of points, which takes one series after the other."""
        with parquet.ParquetWriter(
            path,
            _points_schema(),
            compression="zstd",
            use_dictionary=["run", "metric", "layer"],
            column_encoding={"step": "DELTA_BINARY_PACKED", "value": "BYTE_STREAM_SPLIT"},
        ) as writer:
            group = _Group(writer)
            yield group.add
            group.write()

    def runs(self, path: Path, rows: Iterable[Row]) -> None:
        """Write the table of runs."""
        schema, remaining = _runs_schema(), iter(rows)
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            while part := list(islice(remaining, _RUNS_AT_A_TIME)):
                writer.write_table(pa.Table.from_pylist([dict(row) for row in part], schema=schema))


class _Group:
    """The row group that is being filled."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._parts: list[Any] = []
        self._rows = 0

    def add(self, points: Points) -> None:
        """Take a series, and write every group that it fills."""
        start = 0
        while start < len(points.steps):
            stop = min(len(points.steps), start + ROW_GROUP - self._rows)
            self._parts.append(_batch(points, start, stop))
            self._rows += stop - start
            start = stop
            if self._rows == ROW_GROUP:
                self.write()

    def write(self) -> None:
        """Write what was taken."""
        if self._parts:
            self._writer.write_table(pa.Table.from_batches(self._parts), row_group_size=ROW_GROUP)
        self._parts, self._rows = [], 0


def _batch(points: Points, start: int, stop: int) -> Any:
    rows = stop - start
    layers = np.full(rows, points.layer or 0, np.int32)
    columns = [
        pa.array(np.full(rows, points.run_id, np.int64)),
        pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([points.metric])),
        pa.nulls(rows, pa.int32()) if points.layer is None else pa.array(layers),
        pa.array(points.steps[start:stop]),
        pa.array(points.values[start:stop]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_points_schema())


def _points_schema() -> Any:
    return pa.schema(
        [
            pa.field("run", pa.int64(), nullable=False),
            pa.field("metric", pa.dictionary(pa.int32(), pa.string()), nullable=False),
            pa.field("layer", pa.int32()),
            pa.field("step", pa.int64(), nullable=False),
            pa.field("value", pa.float64(), nullable=False),
        ]
    )


def _runs_schema() -> Any:
    moment = pa.timestamp("us", tz="UTC")
    kinds = {
        "id": pa.int64(),
        "seed": pa.int64(),
        "steps_run": pa.int64(),
        "score": pa.float64(),
        "queued_at": moment,
        "started_at": moment,
        "ended_at": moment,
    }
    return pa.schema([pa.field(name, kinds.get(name, pa.string())) for name in RUN_COLUMNS])
