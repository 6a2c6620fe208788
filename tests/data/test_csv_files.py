"""CSV datasets: reading them, and refusing what is not one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnlab.data.catalogue import check
from nnlab.data.config import DataConfig
from nnlab.data.csv_columns import _plain_numbers, read_columns
from nnlab.data.csv_reading import CsvLimits, is_number, sniffed_delimiter
from nnlab.data.errors import DataError
from nnlab.data.preparation import prepare

ROWS = [f"{i},{i * i},{'red' if i % 3 else 'blue'},{i / 7}" for i in range(40)]
HOUSES = "\n".join(["size,rooms,colour,price", *ROWS]) + "\n"


def build_file(folder: Path, content: str | bytes, name: str = "houses.csv") -> DataConfig:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return DataConfig(dataset=name)


def build_rows(header: str, row: str, count: int = 30) -> str:
    """Write a file whose rows differ where ``row`` holds ``{i}``."""
    return "\n".join([header, *(row.format(i=i, even=i % 2) for i in range(count))])


def test_a_csv_file_becomes_inputs_and_a_target(tmp_path: Path) -> None:
    prepared = prepare(build_file(tmp_path, HOUSES), tmp_path)
    assert (prepared.task, prepared.target_name, prepared.outputs) == ("regression", "price", 1)
    assert prepared.feature_names == ("size", "rooms", "colour: blue", "colour: red")
    assert (prepared.x_train.shape, prepared.y_val.shape) == ((32, 4), (8, 1))


def test_another_column_can_be_the_target(tmp_path: Path) -> None:
    build_file(tmp_path, HOUSES)
    prepared = prepare(DataConfig(dataset="houses.csv", target="colour"), tmp_path)
    assert (prepared.task, prepared.class_names) == ("binary", ("blue", "red"))
    assert prepared.y_train.dtype == np.int64
    assert prepared.feature_names == ("size", "rooms", "price")
    with pytest.raises(DataError, match="among size, rooms, colour, price, got 'cost'") as caught:
        prepare(DataConfig(dataset="houses.csv", target="cost"), tmp_path)
    assert caught.value.field == "target"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_line_ends_and_a_byte_order_mark_do_not_matter(
    tmp_path: Path, delimiter: str, start: bytes, end: str
) -> None:
    text = HOUSES.replace(",", delimiter).replace("\n", end)
    prepared = prepare(build_file(tmp_path, start + text.encode()), tmp_path)
    assert prepared.version == prepare(build_file(tmp_path, HOUSES, "b.csv"), tmp_path).version


def test_the_delimiter_is_the_one_that_cuts_every_line_alike() -> None:
    assert sniffed_delimiter(b"a;b\n1,5;2,5\n1,5;3,5\n") == ";"
    assert sniffed_delimiter(b'name,n\n"x;y;z",1\n') == ","
    assert sniffed_delimiter(b"one\n1\n") == ","


def test_quotes_may_hold_delimiters_and_line_ends(tmp_path: Path) -> None:
    content = 'text,y\n"a, ""b""\nc",1\n' + "plain,2\n" * 20
    columns = read_columns(content.encode())
    assert columns[0].labels == ('a, "b"\nc', "plain")


def test_missing_cells_get_a_median_and_an_indicator_or_their_own_category(tmp_path: Path) -> None:
    text = "a,k,y\n" + "".join(
        f"{'' if i % 5 == 0 else i},{'NA' if i % 4 == 0 else 'x'},{i}\n" for i in range(40)
    )
    prepared = prepare(build_file(tmp_path, text), tmp_path)
    assert prepared.feature_names == ("a", "k: x", "k: missing", "a: missing")
    assert prepared.x_train[:, 3].sum() + prepared.x_val[:, 3].sum() == 8


def test_rows_without_a_target_are_dropped_and_counted(tmp_path: Path) -> None:
    text = HOUSES + "1,2,red,\n1,2,red, \n1,2,red,?\n"
    shape = check(build_file(tmp_path, text), tmp_path)
    assert shape.train_rows + shape.validation_rows == 40
    assert shape.notes[0] == "3 rows without a price were left out"


def test_columns_that_identify_rows_are_noted(tmp_path: Path) -> None:
    shape = check(build_file(tmp_path, build_rows("id,name,v,y", "{i},n{i},{even},{i}.5")), tmp_path)
    assert [note.split()[1] for note in shape.notes[:2]] == ["id", "name"]


@pytest.mark.parametrize(
    ("values", "task", "expected"),
    [
        (range(21), "auto", "regression"),
        (range(20), "auto", "multiclass"),
        (range(2), "auto", "binary"),
        (range(2), "multiclass", "multiclass"),
        (range(3), "regression", "regression"),
    ],
)
def test_the_task_follows_the_target(tmp_path: Path, values: range, task: str, expected: str) -> None:
    text = "a,y\n" + "".join(f"{i},{values[i % len(values)]}\n" for i in range(80))
    build_file(tmp_path, text)
    prepared = prepare(DataConfig(dataset="houses.csv", task=task), tmp_path)
    assert prepared.task == expected
    if expected == "multiclass":
        assert prepared.outputs == len(values)
        assert prepared.class_names == tuple(str(value) for value in values)


@pytest.mark.parametrize(
    ("target", "task", "message"),
    [
        ("colour", "regression", "for regression, got texts such as 'blue'"),
        ("price", "binary", "expected 2 classes in 'price' for a binary task, got 40"),
    ],
)
def test_a_target_that_does_not_fit_its_task_is_refused(
    tmp_path: Path, target: str, task: str, message: str
) -> None:
    build_file(tmp_path, HOUSES)
    with pytest.raises(DataError, match=message) as caught:
        prepare(DataConfig(dataset="houses.csv", target=target, task=task), tmp_path)
    assert caught.value.field == "task"


def test_formulas_are_text(tmp_path: Path) -> None:
    cells = ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3"]
    text = "k,y\n" + "".join(f'"{cells[i % 4]}",{i}\n' for i in range(40))
    prepared = prepare(build_file(tmp_path, text), tmp_path)
    assert set(prepared.feature_names) == {f"k: {cell}" for cell in cells}


def test_the_most_frequent_fifty_categories_keep_a_column(tmp_path: Path) -> None:
    text = "k,y\n" + "".join(f"c{i % 60:02},{i}\n" for i in range(600))
    prepared = prepare(build_file(tmp_path, text), tmp_path)
    assert prepared.x_train.shape[1] == 51
    assert prepared.feature_names[-1] == "k: other"


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "empty": (b"", "got an empty file"),
    "blank lines": (b"\n\n\n", "got an empty file"),
    "header only": (b"a,b\n", "expected data below the header row"),
    "header and blank cells": (b"a,b\n,\n,\n", "expected data below the header row"),
    "one column": ("a\n1\n2\n", "row 1: expected at least two columns"),
    "no header": ("1,2\n3,4\n", r"row 1: expected column names, got numbers \(1, 2\)"),
    "duplicate header": (
        HOUSES.replace("rooms", " size "),
        "row 1, column 2: expected unique names, got 'size'",
    ),
    "unnamed column": (HOUSES.replace("rooms", " "), "row 1, column 2: expected a name"),
    "long name": (HOUSES.replace("rooms", "r" * 201), "row 1, column 2: expected a name of 1 to 200"),
    "too many columns": (",".join(f"c{i}" for i in range(501)) + "\n", "at most 500 columns, got 501"),
    "short row": (HOUSES + "1,2,red\n", "row 42: expected 4 cells as in the header, got 3"),
    "long row": (HOUSES + "\n1,2,red,4,5\n", "row 43: expected 4 cells as in the header, got 5"),
    "open quote": (HOUSES + '1,2,"red,4\n5,6,blue,7\n', "row 42: expected cells whose quotes close"),
    "text after a quote": (HOUSES + '1,2,"red"x,4\n', "row 42: expected cells whose quotes close"),
    "latin-1": (
        HOUSES.encode() + b"1,2,gr\xfcn,4\n",
        "line 42: expected UTF-8 text, got byte 0xfc at position 7",
    ),
    "utf-16": (HOUSES.encode("utf-16"), "line 1: expected UTF-8 text"),
    "utf-16 without a mark": (HOUSES.encode("utf-16-le"), "line 1: expected text, got a NUL byte"),
    "nul bytes": (HOUSES.encode() + b"1,2,re\0d,4\n", "line 42: expected text, got a NUL byte"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(100), "line 1: expected UTF-8 text, got byte 0x89"),
    "long line": (HOUSES + "1,2," + "x" * 1_000_000 + ",4\n", "line 42: expected at most 1,000,000 bytes"),
    "long cell": (HOUSES + "1,2," + "x" * 200_000 + ",4\n", "row 42: .*field larger than field limit"),
    "free text": (
        HOUSES + "1,2," + "x" * 201 + ",4\n",
        "row 42, column 'colour': .* at most 200 characters, got 201",
    ),
    "stray text": (
        HOUSES + "1,two,red,4\n",
        "row 42, column 'rooms': expected a number as in most rows, got 'two'",
    ),
    "stray nan in words": (HOUSES + "1,inf,red,4\n", "row 42, column 'rooms': expected a number"),
    "decimal commas": (
        build_rows("a;y", "1,{i};{i}"),
        "row 2, column 'a': expected a number with a decimal point, got '1,0'",
    ),
    "overflow": (HOUSES + "1,1e999,red,4\n", "row 42, column 'rooms': expected a number below 1e308"),
    "too large to scale": (build_rows("a,y", "{i}e300,{i}"), "column 'a' holds numbers too large"),
    "too small to scale": (
        build_rows("a,y", "{i}e-300,{i}"),
        "column 'a' holds numbers too large or too small",
    ),
    "empty column": (
        build_rows("a,b,y", "{i},,{i}"),
        "column 'b': expected values, got none; remove the column",
    ),
    "few rows": ("a,y\n1,2\n3,4\n", "expected at least 10 rows with a 'y', got 2"),
    "constant column": (build_rows("a,b,y", "{i},7,{i}"), "column 'b' is constant in the training rows"),
    "constant target": (build_rows("a,y", "{i},7"), "expected different values in 'y'"),
    "many classes": (build_rows("a,y", "{i},c{i}", 60), "expected at most 50 classes in 'y', got 60"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_refused_with_the_place(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check(build_file(tmp_path, content), tmp_path)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (CsvLimits(rows=39), "expected at most 39 rows below the header, got more"),
        (CsvLimits(labels=1), "column 'colour': expected at most 1 distinct texts"),
    ],
)
def test_limits_hold(limits: CsvLimits, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_columns(HOUSES.encode(), limits)
    assert len(read_columns(HOUSES.encode(), CsvLimits(rows=40, labels=2))) == 4


@given(st.lists(st.text("0123456789+-.eE \t_x\u0661\x1cnaif", max_size=6), min_size=1, max_size=4))
@example(["1_000"])
@example(["\u0661"])
@example(["inf"])
@example([".5", "1.", "-2e3", " 7\t"])
def test_many_cells_at_once_are_numbers_where_each_alone_is_one(cells: list[str]) -> None:
    at_once = _plain_numbers(cells)
    assert (at_once is not None) == all(is_number(cell) for cell in cells)
    if at_once is not None:
        assert at_once.tolist() == [float(cell) for cell in cells]


def test_many_digits_before_a_letter_are_a_text_like_any_other() -> None:
    text = "1" * 100_000 + "x"  # tried in every division, these would take minutes
    with pytest.raises(DataError, match="category of at most 200 characters, got 100,001"):
        read_columns(f"a,b\n{text},1\n".encode())


def test_whoever_waits_is_told_how_far_the_reading_is() -> None:
    told: list[tuple[float, int]] = []
    rows = "".join(f"{row},{'abc'[row % 3]}\n" for row in range(5_000))
    read_columns(f"n,k\n{rows}".encode(), progress=lambda share, count: told.append((share, count)))
    assert [count for _, count in told] == [2_000, 4_000, 5_000, 5_000, 5_000, 5_000]
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert told[-1] == (1.0, 5_000)
