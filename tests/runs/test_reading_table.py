"""The runs table: what an address means, and which rows it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from runs.reading.table import FILTERS, SORTS, choices, page_of, parse_table_query, runs_of
from tests.runs import builders

if TYPE_CHECKING:
    from runs.models import Project


@pytest.fixture
def project(db: None) -> Project:
    project = builders.build_project()
    sweep = builders.build_sweep(project, name="the first sweep")
    builders.build_finished_run(
        sweep, name="a", score=0.5, training={"hidden_units": (16,), "activation": "tanh"}
    )
    builders.build_finished_run(
        sweep, name="b", score=0.9, training={"hidden_units": (64, 64), "dropout": 0.2}
    )
    builders.build_finished_run(
        sweep, name="c", score=None, stop_reason="diverged", training={"hidden_units": (8, 4)}
    )
    builders.build_running_run(sweep, name="d")
    builders.build_run(project=project, name="e", training={"hidden_units": ()})
    builders.build_run(name="of another project")
    return project


def names(project: Project, address: str) -> str:
    query = parse_table_query(QueryDict(address))
    return "".join(run.name for run in page_of(runs_of(project, query), query.page))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", "edcba"),
        ("sort=run", "abcde"),
        ("sort=-run", "edcba"),
        ("sort=score", "abedc"),
        ("sort=-score", "baedc"),
        ("q=first&sort=run", "abcd"),
        ("q=B", "b"),
        ("status=finished&sort=run", "abc"),
        ("status=finished,running&sort=run", "abcd"),
        ("status=finished&status=running&sort=run", "abcd"),
        ("status=!finished&sort=run", "de"),
        ("activation=tanh", "a"),
        ("activation=!tanh,!none&sort=run", "bcd"),
        ("depth=2..&sort=run", "bcd"),
        ("depth=..1&sort=run", "ae"),
        ("depth=1..1", "a"),
        ("width=64", "b"),
        ("dropout=0.2", "b"),
        ("score=0.6..", "b"),
        ("score=..&sort=run", "ab"),
        ("width=..&depth=2&sort=run", "bd"),
        ("page=99999", "edcba"),
        ("page=-4", "edcba"),
        ("page=1e9999", "edcba"),
    ],
)
def test_an_address_gives_its_rows(project: Project, address: str, expected: str) -> None:
    assert names(project, address) == expected


@pytest.mark.parametrize("column", SORTS)
def test_every_column_sorts_both_ways(project: Project, column: str) -> None:
    ascending, descending = names(project, f"sort={column}"), names(project, f"sort=-{column}")
    assert sorted(ascending) == sorted(descending) == list("abcde")


def test_a_sweep_is_a_filter(project: Project) -> None:
    sweep = project.sweeps.get(name="the first sweep")
    assert names(project, f"sweep={sweep.pk}&sort=run") == "abcd"


@pytest.mark.parametrize(
    "address",
    [
        "colour=red",
        "depth=deep",
        "depth=1..two",
        "depth=99999999999999999999999",
        "depth=²",
        "score=nan",
        "score=1e999",
        "sort=colour",
        "status=" + ",".join("x" * 200),
    ],
)
def test_what_is_not_understood_is_a_warning(project: Project, address: str) -> None:
    query = parse_table_query(QueryDict(address))
    assert len(query.warnings) == 1
    assert query.filters == {}
    assert names(project, address) == "edcba"


@given(st.dictionaries(st.sampled_from([*FILTERS, "q", "sort", "page", "odd"]), st.text(max_size=30)))
def test_no_address_is_an_error(parameters: dict[str, str]) -> None:
    given_query = QueryDict(mutable=True)
    for key, value in parameters.items():
        given_query[key] = value
    query = parse_table_query(given_query)
    again = parse_table_query(QueryDict(query.address().removeprefix("?")))
    assert again.address() == query.address()
    assert again.warnings == ()


def test_equal_views_have_equal_addresses() -> None:
    one = parse_table_query(QueryDict("width=64&status=finished&page=1&q="))
    other = parse_table_query(QueryDict("q=&status=finished&sort=-newest&width=64"))
    assert one.address() == other.address() == "?status=finished&width=64"
    assert one.address(page=2, status="") == "?width=64&page=2"
    assert one.sorted_by("score") == "?status=finished&width=64&sort=score"
    assert parse_table_query(QueryDict("sort=score")).sorted_by("score") == "?sort=-score"
    assert parse_table_query(QueryDict()).address() == "?"


def test_choices_are_what_the_runs_have(project: Project) -> None:
    found = choices(project)
    assert found["depth"] == ["0", "1", "2"]
    assert found["width"] == ["16", "64"]
    assert found["activation"] == ["none", "relu", "tanh"]


@pytest.mark.django_db
def test_an_empty_project_has_no_choices() -> None:
    assert choices(builders.build_project())["depth"] == []
