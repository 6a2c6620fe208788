"""Cells of a grid over two knobs: their numbers, their words, and how the empty ones look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runs.charts.chart import FloatArray, number_text, plural, spread_text

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Cells:
    """The three tables of a grid, read once."""

    means: FloatArray
    sds: FloatArray
    counts: FloatArray

    @classmethod
    def read(cls, shape: tuple[int, int], means: ArrayLike, sds: ArrayLike, counts: ArrayLike) -> Cells:
        """Check that the tables have the shape of the grid.

        Raises:
            ValueError: if one has not.
        """
        tables = [np.asarray(table, dtype=np.float64) for table in (means, sds, counts)]
        for table in tables:
            if table.shape != shape:
                raise ValueError(
                    f"expected tables of {shape[0]} rows and {shape[1]} columns, got {table.shape}"
                )
        return cls(*tables)

    def best(self, better: str) -> tuple[int, int]:
        """Find the row and column of the best mean."""
        signed = np.where(np.isfinite(self.means), self.means if better == "higher" else -self.means, -np.inf)
        row, column = np.unravel_index(int(np.argmax(signed)), signed.shape)
        return int(row), int(column)

    def text(self, row: int, column: int) -> str:
        """Write mean, spread and n below each other; nothing for an empty cell."""
        mean, sd, count = self.means[row, column], self.sds[row, column], self.counts[row, column]
        if not np.isfinite(mean):
            return ""
        if not np.isfinite(sd):
            return f"{number_text(float(mean))}<br>{plural(int(count), 'run')}"
        words = spread_text(float(mean), float(sd), usual=self.usual_sd)
        return f"{words.replace(' ±', '<br>±')}<br>{plural(int(count), 'run')}"

    @property
    def usual_sd(self) -> float:
        """The middle one of the spreads: by it all cells are written with as many decimals."""
        found = self.sds[np.isfinite(self.sds) & (self.sds > 0)]
        return float(np.median(found)) if found.size else 0.0


def cell_words(cells: Cells, better: str) -> dict[str, Any]:
    """Write into the cells. Where each lies on the colour scale goes along, so that the ink can be chosen."""
    where = np.argwhere(np.isfinite(cells.means))
    means = cells.means[where[:, 0], where[:, 1]]
    share = (means - means.min()) / ((means.max() - means.min()) or 1.0)
    return {
        "type": "scatter", "mode": "text", "x": where[:, 1].tolist(), "y": where[:, 0].tolist(),
        "text": [cells.text(row, column) for row, column in where.tolist()], "hoverinfo": "skip",
        "customdata": (1 - share if better == "lower" else share).tolist(), "meta": {"role": "cell"},
    }  # fmt: skip


def plain_rows(table: FloatArray) -> list[list[float | None]]:
    """Write a small table as plain rows, with None where there is no number."""
    return [[float(value) if np.isfinite(value) else None for value in row] for row in table]


def hatching(means: FloatArray) -> list[dict[str, Any]]:
    """Hatch the empty cells with diagonals: shapes, since a heat map has no patterns."""
    shapes = []
    for row, column in np.argwhere(~np.isfinite(means)).tolist():
        left, bottom, side = column - 0.47, row - 0.47, 0.94
        lines = []
        for share in np.arange(0.2, 2, 0.2):  # where a diagonal meets the cell's edges
            near, far = max(0.0, share - 1), min(1.0, share)
            start = f"{left + side * near:.3f},{bottom + side * far:.3f}"
            lines.append(f"M{start}L{left + side * far:.3f},{bottom + side * near:.3f}")
        shapes.append({"type": "path", "name": "hatch", "path": "".join(lines), "line": {"width": 1}})
    return shapes


def missing_words(means: FloatArray, counts: FloatArray) -> list[dict[str, Any]]:
    """Say in an empty cell whether it was never run or has no run that finished."""
    return [
        {
            "name": "missing", "x": column, "y": row, "showarrow": False, "borderpad": 3,
            "text": "diverged" if counts[row, column] > 0 else "not run",
        }
        for row, column in np.argwhere(~np.isfinite(means)).tolist()
    ]  # fmt: skip


def outline(best: tuple[int, int]) -> dict[str, Any]:
    """Draw a frame around the best cell."""
    row, column = best
    edges = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
    return {"type": "rect", "name": "best", "line": {"width": 3}} | edges
