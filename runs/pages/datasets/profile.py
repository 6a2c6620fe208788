"""The page of one dataset: its columns in numbers, its first rows, and the runs that used it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET

from nnlab.data.csv_columns import CsvColumn
from nnlab.data.errors import DataError
from nnlab.data.profile import ColumnProfile
from runs.charts.bars import bars
from runs.charts.pictures import grey_picture
from runs.pages.datasets.progress import again_context
from runs.pages.frame import render_page
from runs.reading.datasets import Described, describe, newest_runs, saved_recipes

COLUMNS_A_PAGE = 50
NARROWED_FROM = 12  # columns; fewer are seen at once
FIRST_ROWS = 10
FIRST_COLUMNS = 30
PICTURES = 12


@dataclass(frozen=True)
class Row:
    """A line of the table of columns."""

    found: ColumnProfile
    bars: SafeString
    common: str


@require_GET
def dataset(request: HttpRequest, key: str) -> HttpResponse:
    """Show what is known of a dataset."""
    refused = ""
    found = None
    try:
        found = describe(key)
    except DataError as error:
        refused = str(error)
    if found is None and not refused:
        raise Http404(f"There is no dataset {key!r}.")
    context: dict[str, Any] = {"key": key, "refused": refused, "runs": newest_runs(key)}
    if found is not None:
        context |= {"found": found, **profile_context(found, request.GET.get("page", ""))}
        if found.version:
            context |= {"recipes": saved_recipes(found.version), "is_again": "again" in request.GET}
            if not found.version.saved_at:
                context |= again_context(request, found.version)
    return render_page(request, "runs/dataset.html", context)


def profile_context(found: Described, page: str) -> dict[str, Any]:
    """Collect what the table of columns and that of the first rows show."""
    columns = found.profile.columns
    pages = math.ceil(len(columns) / COLUMNS_A_PAGE)
    shown = min(max(int(page) if page.isdecimal() and len(page) < 6 else 1, 1), pages)
    part = columns[(shown - 1) * COLUMNS_A_PAGE : shown * COLUMNS_A_PAGE]
    return {
        "rows": [_row(column) for column in part],
        "first_column": (shown - 1) * COLUMNS_A_PAGE + 1,
        "page": shown,
        "pages": range(1, pages + 1) if pages > 1 else (),
        "counts": counts_of(columns) if NARROWED_FROM <= len(columns) <= COLUMNS_A_PAGE else {},
        "head": [column.name for column in found.columns[:FIRST_COLUMNS]],
        "first_rows": first_rows(found.columns[:FIRST_COLUMNS], FIRST_ROWS),
        "pictures": _pictures(found),
    }


def counts_of(columns: Sequence[ColumnProfile]) -> dict[str, int]:
    """Count columns by what a table of them can be narrowed to."""
    return {
        "all": len(columns),
        "numeric": sum(column.kind == "numeric" for column in columns),
        "categorical": sum(column.kind == "categorical" for column in columns),
        "warned": sum(bool(column.warnings) for column in columns),
    }


def first_rows(columns: Sequence[CsvColumn], count: int) -> list[list[str]]:
    """Write the first cells of columns, row by row."""
    written = [[_cell(column, value) for value in column.cells[:count].tolist()] for column in columns]
    return [list(row) for row in zip(*written, strict=True)]


def _cell(column: CsvColumn, value: float) -> str:
    if math.isnan(value):
        return ""
    return column.labels[int(value)] if column.labels else f"{value:.7g}"


def _row(column: ColumnProfile) -> Row:
    # Only numbers are in the drawing.
    drawing = mark_safe(bars(column.bars))  # noqa: S308
    common = ", ".join(f"{label} ({count:,})" for label, count in _short(column.common))
    return Row(column, drawing, common)


def _short(common: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(label if len(label) <= 24 else f"{label[:23]}…", count) for label, count in common][:3]


def _pictures(found: Described) -> list[tuple[str, str]]:
    """Draw the first rows of a dataset of pictures, each with its label."""
    shape = found.info.image_shape if found.info else None
    if shape is None:
        return []
    *pixels, target = found.columns
    greatest = max(column.high for column in found.profile.columns[:-1])
    return [
        (grey_picture([*_square([column.cells[row] for column in pixels], shape[1])], greatest), label)
        for row, (label,) in enumerate(first_rows([target], PICTURES))
    ]


def _square(cells: Sequence[float], width: int) -> list[list[float]]:
    return [list(cells[start : start + width]) for start in range(0, len(cells), width)]
