"""Budgets: what fits on a screen or into a head stays small; an exception is named with its reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PRODUCT_MODULE = 300  # lines
TEST_MODULE = 400  # a table of claims is read by entry, not from top to bottom
FUNCTION = 40  # lines without the docstring, which is for people who do not read them
TEMPLATE = 150  # lines
BUILT_IN_DATA = 2_500_000  # bytes

# Path, or path::function, to its own budget; the reason stands beside it.
EXCEPTIONS: Mapping[str, int] = {}


def modules(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return [path for path in found if "migrations" not in path.parts]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def over(sizes: Iterator[tuple[str, int]], budget: int) -> dict[str, int]:
    return {name: size for name, size in sizes if size > EXCEPTIONS.get(name, budget)}


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            documented = ast.get_docstring(node, clean=False) or ""
            text = documented.count("\n") + 1 if documented else 0
            yield f"{named(path)}::{node.name}", node.end_lineno - node.lineno + 1 - text


@pytest.mark.parametrize(
    ("folders", "budget"), [(("nnlab", "runs"), PRODUCT_MODULE), (("tests",), TEST_MODULE)]
)
def test_a_module_is_short(folders: tuple[str, ...], budget: int) -> None:
    assert over(((named(path), lines(path)) for path in modules(*folders)), budget) == {}


def test_a_function_is_short() -> None:
    found = (one for path in modules("nnlab", "runs", "tests") for one in functions(path))
    assert over(found, FUNCTION) == {}


def test_a_template_is_short() -> None:
    assert over(((named(path), lines(path)) for path in (ROOT / "templates").rglob("*.html")), TEMPLATE) == {}


def test_the_built_in_data_is_small() -> None:
    files = (ROOT / "nnlab" / "data" / "files").iterdir()
    assert 0 < sum(path.stat().st_size for path in files) <= BUILT_IN_DATA


def test_every_exception_is_still_needed() -> None:
    sizes = {named(path): lines(path) for path in modules("nnlab", "runs", "tests")}
    sizes |= dict(one for path in modules("nnlab", "runs", "tests") for one in functions(path))
    sizes |= {named(path): lines(path) for path in (ROOT / "templates").rglob("*.html")}
    budgets = {name: FUNCTION if "::" in name else PRODUCT_MODULE for name in EXCEPTIONS}
    assert [name for name in EXCEPTIONS if sizes.get(name, 0) <= budgets[name]] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        named(path)
        for path in modules("nnlab", "runs")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []
