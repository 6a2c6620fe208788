"""Reading an upload: its time as a ratio to Python's csv module alone, and the memory of the worst files."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from statistics import median
from time import process_time

import numpy as np
import pytest

from nnlab.data.csv_columns import read_columns
from nnlab.data.csv_reading import UPLOAD_LIMITS

pytestmark = pytest.mark.benchmark

ROUNDS = 7


def table(rows: list[list[str]]) -> bytes:
    head = ",".join(f"c{place}" for place in range(len(rows[0])))
    return "\n".join([head, *(",".join(row) for row in rows)]).encode()


def numbers(rows: int, columns: int, form: str) -> bytes:
    found = np.random.default_rng(0).normal(0, 9, (rows, columns))
    return table([[form % cell for cell in row] for row in found.tolist()])


def mixed(rows: int) -> bytes:
    found = np.random.default_rng(0).integers(0, 30, (rows, 20)).tolist()
    return table(
        [[f"town {cell}" if place % 2 else str(cell) for place, cell in enumerate(row)] for row in found]
    )


CASES = {
    "numbers of one digit": (numbers(4_000, 100, "%.0f"), 15.0),
    "numbers of six decimals": (numbers(10_000, 20, "%.6f"), 15.0),
    "half categories": (mixed(20_000), 30.0),
}


@pytest.mark.parametrize(("content", "bound"), CASES.values(), ids=CASES.keys())
def test_reading_takes_a_small_multiple_of_splitting_into_cells(content: bytes, bound: float) -> None:
    ratios = []
    for _ in range(ROUNDS):
        started = process_time()
        columns = read_columns(content, UPLOAD_LIMITS)
        between = process_time()
        for _row in csv.reader(io.StringIO(content.decode())):
            pass
        ratios.append((between - started) / (process_time() - between))
    cells = len(columns) * len(columns[0].cells)
    each = (between - started) / cells * 1e9
    print(f"\n{cells:,} cells: {each:.0f} ns each, {median(ratios):.2f} times csv alone")
    assert median(ratios) < bound


_WORST = {
    "ten million cells of one digit": '(head + ("1," * 499 + "2\\n") * 19_990)',
    "twenty million empty cells": '(head + "1," * 499 + "2\\n" + ("," * 499 + "\\n") * 39_000)',
    "two hundred thousand distinct texts": '"a,b\\n" + "".join(f"{n:040}x,{n}\\n" for n in range(200000))',
    "a line of 20 MB": '"a,b\\n" + "1," * 9_900_000',
    "rows of a million cells": '"a,b\\n" + ("1," * 499_000 + "\\n") * 19',
    "a quote that never closes": '"a,b\\n1,\\"" + "x\\n" * 9_900_000',
}
_MEASURED = """
import resource, sys
from nnlab.data.csv_columns import read_columns
from nnlab.data.csv_reading import UPLOAD_LIMITS
from nnlab.data.errors import DataError
from nnlab.data.uploads import pieces
head = ",".join(f"c{n}" for n in range(500)) + "\\n"
content = (%s).encode()[:20_000_000]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    said = str(sum(map(len, pieces(read_columns(content, UPLOAD_LIMITS)))))
except DataError as error:
    said = str(error)
print(before // 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, said)
"""


@pytest.mark.parametrize("content", _WORST.values(), ids=_WORST.keys())
def test_the_worst_files_are_read_or_refused_in_bounded_memory(content: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", _MEASURED % content], capture_output=True, text=True, check=True
    )
    before, most, said = found.stdout.split(maxsplit=2)
    print(f"\n{before} MB with the file, at most {most} MB: {said.strip()}")
    assert int(most) < 700
