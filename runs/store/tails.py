"""The growing ends of a run's series, as they are stored and as they are remembered between folds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from nnlab.series.batch import Points
from nnlab.series.chunks import SealedChunk, points_from
from nnlab.series.pyramid import LAYOUT, PyramidRow
from nnlab.series.sealing import Sealed, SeriesTail
from nnlab.series.summaries import Summary
from runs.models import Chunk, Series
from runs.store import rows

CHUNK = ("run_id", "series_number", "start", "points", "first_step", "last_step", "steps", "data")
PYRAMID = ("run_id", "series_number", "level", "start", "points", "first_step", "last_step", "steps", "data")
_SUMMARY = tuple(column.name for column in fields(Summary))

# ruff: noqa: S608 - the names in these statements are the columns above
_CHUNKS = f"""
SELECT {", ".join(CHUNK[2:])} FROM runs_chunk
WHERE run_id = %s AND series_number = %s AND start + points > %s ORDER BY start"""
_PYRAMID = f"""
SELECT {", ".join(PYRAMID[2:])} FROM runs_pyramid
WHERE run_id = %s AND series_number = %s AND level = %s AND start >= %s ORDER BY start"""
_UNSEALED_CHUNKS = "DELETE FROM runs_chunk WHERE run_id = %s AND series_number = %s AND start >= %s"
_UNSEALED_ROWS = "DELETE FROM runs_pyramid WHERE run_id = %s AND series_number = %s AND start + points > %s"
_UNSEALED_BYTES = """
SELECT coalesce(sum(length(data) + coalesce(length(steps), 0)), 0) FROM runs_pyramid
WHERE run_id = %s AND series_number = %s AND start + points > %s"""
_STORE_SUMMARY = f"""
UPDATE runs_series SET {", ".join(f"{name} = %s" for name in _SUMMARY)} WHERE run_id = %s AND number = %s"""


@dataclass
class Tail:
    """The end of one stored series, and how what is sealed of it stands."""

    run_id: int
    number: int
    end: SeriesTail
    summary: Summary
    _freed: int = 0

    def freed(self) -> int:
        """Return the bytes of what was opened again since this was asked last."""
        freed, self._freed = self._freed, 0
        return freed

    def seal(self, points: Points, *, final: bool) -> tuple[Sealed, Points]:
        """Add points, seal what can be, and hand the rest back.

        Points before the end are right, too: the chunks behind them are opened again.
        """
        steps, values = points
        last = self.end.last_sealed_step
        if last is not None and steps[0] < last:
            steps, values = _merged(self.unseal(int(steps[0])), points)
        self.end.extend(steps, values)
        sealed = self.end.seal(final=final)
        rest = self.end.take_open()
        count = len(steps) - len(rest[0])
        self.summary = self.summary.extended(steps[:count], values[:count])
        return sealed, rest

    def unseal(self, step: int) -> Points:
        """Open the chunks that hold points after a step. Returns all their points.

        The extremes of the summary stay: they hold for the sealed points and the opened ones together.
        """
        mine = Chunk.objects.filter(run_id=self.run_id, series_number=self.number, last_step__gt=step)
        start = mine.order_by("start").values_list("start", flat=True).first()
        if start is None:
            return np.zeros(0, np.int64), np.zeros(0)
        chunks = stored_chunks(self.run_id, self.number, start)
        [[above]] = rows.fetch(_UNSEALED_BYTES, (self.run_id, self.number, start))
        self._freed += above + sum(len(chunk.data) + len(chunk.steps or b"") for chunk in chunks)
        opened = points_from(chunks, start)
        rows.change(_UNSEALED_CHUNKS, (self.run_id, self.number, start))
        rows.change(_UNSEALED_ROWS, (self.run_id, self.number, start))
        self.end = _reopened(self.run_id, self.number, start, _last_step(self.run_id, self.number))
        self.summary = replace(
            self.summary,
            points=start,
            last_step=self.end.last_sealed_step,
            nonfinite=self.summary.nonfinite - int((~np.isfinite(opened[1])).sum()),
        )
        return opened


def begun(run_id: int, numbers: Iterable[int]) -> dict[int, Tail]:
    """Return the ends of series of which nothing is stored."""
    return {number: Tail(run_id, number, SeriesTail(LAYOUT), Summary()) for number in numbers}


def reopened(run_id: int, numbers: Collection[int]) -> dict[int, Tail]:
    """Read the ends of stored series."""
    found = Series.objects.filter(run_id=run_id, number__in=numbers) if numbers else ()
    return {
        series.number: Tail(
            run_id,
            series.number,
            _reopened(run_id, series.number, series.points, series.last_step),
            summary_of(series),
        )
        for series in found
    }


def summary_of(series: Series) -> Summary:
    """Return how what is sealed of a series stands."""
    return Summary(*(getattr(series, name) for name in _SUMMARY))


def store_summaries(found: Iterable[Tail]) -> None:
    """Write how what is sealed of each series stands."""
    changed = [
        (*(getattr(tail.summary, name) for name in _SUMMARY), tail.run_id, tail.number) for tail in found
    ]
    if changed:
        with rows.cursor() as opened:
            opened.executemany(_STORE_SUMMARY, changed)


def store(run_id: int, sealed: Mapping[int, Sealed]) -> None:
    """Write the chunks and rows of series; a row that was not full is replaced."""
    chunks = [
        (run_id, number, part.start, part.points, part.first_step, part.last_step, part.steps, part.data)
        for number, found in sealed.items()
        for part in found.chunks
    ]
    levels = [
        (run_id, number, row.level, row.start, row.points, row.first_step, row.last_step, row.steps, row.data)
        for number, found in sealed.items()
        for row in found.rows
    ]
    if chunks:
        rows.insert("runs_chunk", CHUNK, chunks)
    if levels:
        rows.insert("runs_pyramid", PYRAMID, levels, replacing=PYRAMID[:4])


def stored_chunks(run_id: int, number: int, start: int) -> list[SealedChunk]:
    """Read the chunks of a series that hold points from a place on."""
    return [SealedChunk(*row) for row in rows.fetch(_CHUNKS, (run_id, number, start))]


def _reopened(run_id: int, number: int, points: int, last_step: int | None) -> SeriesTail:
    if not points:
        return SeriesTail(LAYOUT)
    return SeriesTail.reopened(
        points,
        last_step,
        lambda start: stored_chunks(run_id, number, start),
        lambda level, start: [
            PyramidRow(*row) for row in rows.fetch(_PYRAMID, (run_id, number, level, start))
        ],
        LAYOUT,
    )


def _last_step(run_id: int, number: int) -> int | None:
    chunks = Chunk.objects.filter(run_id=run_id, series_number=number).order_by("-start")
    return chunks.values_list("last_step", flat=True).first()


def _merged(first: Points, second: Points) -> Points:
    """Put two parts of a series in the order of steps; of equal ones the first part's come first."""
    steps = np.concatenate([first[0], second[0]])
    order = np.argsort(steps, kind="stable")
    return steps[order], np.concatenate([first[1], second[1]])[order]
