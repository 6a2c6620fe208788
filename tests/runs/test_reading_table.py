"""The runs table: what an address means, and which rows it gives."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.http import QueryDict
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs.models import Project, Run
from runs.reading import ordering, paging
from runs.reading.filters import COLUMNS
from runs.reading.table import TableQuery, parse_table_query, runs_of
from runs.reading.table_rows import Page, choices, names_of, page_of
from runs.store.metrics import MetricState, write_metrics
from runs.store.params import write_params_of
from tests.runs import builders


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
    other = builders.build_run(name="of another project")
    deleted = builders.build_finished_run(project=project, name="deleted", deleted_at=timezone.now())
    runs = list(Run.objects.all())
    write_params_of(runs)
    losses = {"a": 0.5, "b": 0.1, "c": None, "d": 0.5, "deleted": 0.2}
    for run in runs:
        if run.name in losses:
            loss = losses[run.name]
            write_metrics(run.pk, project.pk, {"val_loss": MetricState(loss, 0.1, 9 if loss else None)})
    write_metrics(other.pk, other.project_id, {"elsewhere": MetricState(1, 1, 1)})
    write_metrics(deleted.pk, project.pk, {"a.min": MetricState(1, 1, 1)})
    return project


def read(project: Project, address: str) -> TableQuery:
    return parse_table_query(project, QueryDict(address))


def names(project: Project, address: str) -> str:
    return "".join(run.name for run in page_of(project, read(project, address)).runs)


def walked(project: Project, address: str) -> list[str]:
    """Page through a view to its end, and back again; the names of each page."""
    pages, back = [page_of(project, read(project, address))], []
    while following := pages[-1].window.next:
        pages.append(page_of(project, read(project, read(project, address).beside(following, "after")[1:])))
    page = pages[-1]
    while previous := page.window.previous:
        page = page_of(project, read(project, read(project, address).beside(previous, "before")[1:]))
        back.append(page)
    assert [on_page(page) for page in reversed(back)] == [on_page(page) for page in pages[:-1]]
    return [on_page(page) for page in pages]


def on_page(page: Page) -> str:
    return "".join(run.name for run in page.runs)


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
        ("sort=val_loss", "bdaec"),
        ("sort=-val_loss", "dabec"),
        ("sort=metric.val_loss", "bdaec"),
        ("sort=metric.val_loss.last", "bdaec"),
        ("sort=-metric.val_loss.min", "dcbae"),
        ("metric.val_loss=..0.3", "b"),
        ("metric.val_loss=..&sort=run", "abd"),
        ("metric.val_loss=!..0.3&sort=run", "acde"),
        ("metric.val_loss.max=9&sort=-run", "dba"),
        ("metric.val_loss=0.1,0.5&sort=-metric.val_loss", "dab"),
        ("metric.val_loss=0.2..,!0.5", ""),
        ("param.training.hidden_units=%2264,64%22", "b"),
        ("param.training.hidden_units=%2264,64%22,%228,4%22", "cb"),
        ("param.training.dropout=0.2", "b"),
        ("param.training.dropout=!0.2&status=finished", "ca"),
        ("param.training.activation=tanh,nothing", "a"),
        ("param.training.learning_rate=..1&metric.val_loss=0.5&status=running", "d"),
        ("where=metric.val_loss%3D..0.3", "b"),
        ("where=status=running&status=finished&sort=run", "abcd"),
        ("where=&metric.val_loss=&width=", "edcba"),
    ],
)
def test_an_address_gives_its_rows(project: Project, address: str, expected: str) -> None:
    assert names(project, address) == expected


@pytest.mark.parametrize("column", [*ordering.COLUMNS, *ordering.METRICS])
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
        "page=2",
        "sort=metric.nothing",
        "sort=param.training.seed",
        "sort=metric.",
        "metric.nothing=1",
        "metric.elsewhere=1",
        "metric.val_loss=low",
        "param.nothing=1",
        "param.training.dropout=a..b",
        "where=nonsense",
        "columns=metric.nothing",
        "columns=metric.val_loss,nothing",
        "after=nonsense",
        "before=1~2~three",
        "after=1~99999999999999999999999",
        "after=1~2~nan",
        "status=" + ",".join("x" * 200),
    ],
)
def test_what_is_not_understood_is_a_warning(project: Project, address: str) -> None:
    query = read(project, address)
    assert len(query.warnings) == 1
    assert query.filters == {}
    assert names(project, address) == "edcba"


_FIELDS = (
    *COLUMNS,
    "q",
    "sort",
    "page",
    "after",
    "before",
    "columns",
    "where",
    "odd",
    "metric.val_loss",
    "param.",
)


@given(st.dictionaries(st.sampled_from(_FIELDS), st.text(max_size=30)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_address_is_an_error(project: Project, parameters: dict[str, str]) -> None:
    given_query = QueryDict(mutable=True)
    for key, value in parameters.items():
        given_query[key] = value
    query = parse_table_query(project, given_query)
    again = read(project, query.address().removeprefix("?"))
    assert again.address() == query.address()
    assert again.warnings == ()
    assert len(page_of(project, query).runs) <= 5
    assert runs_of(project, query).count() <= 5


def test_equal_views_have_equal_addresses(project: Project) -> None:
    one = read(project, "width=64&status=finished&metric.val_loss=..1&q=")
    other = read(project, "q=&where=metric.val_loss%3D..1&status=finished&sort=-newest&width=64")
    assert one.address() == other.address() == "?status=finished&width=64&metric.val_loss=..1"
    assert one.address(status="") == "?width=64&metric.val_loss=..1"
    assert one.sorted_by("score") == "?status=finished&width=64&metric.val_loss=..1&sort=score"
    assert read(project, "sort=score&after=50~3~0.5").sorted_by("score") == "?sort=-score"
    assert read(project, "after=50~3~7").canonical == ""
    assert read(project, "").address() == "?"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", ["ed", "cb", "a"]),
        ("sort=newest", ["ab", "cd", "e"]),
        ("sort=run", ["ab", "cd", "e"]),
        ("sort=-status", ["de", "cb", "a"]),
        ("sort=score", ["ab", "ed", "c"]),
        ("sort=-score", ["ba", "ed", "c"]),
        ("sort=val_loss", ["bd", "ae", "c"]),
        ("sort=-val_loss", ["da", "be", "c"]),
        ("sort=dropout", ["ed", "ca", "b"]),
        ("sort=net", ["ea", "db", "c"]),
        ("status=finished&sort=val_loss", ["ba", "c"]),
        ("metric.val_loss=0.5,0.1&sort=-val_loss", ["da", "b"]),
        ("status=failed", [""]),
    ],
)
@pytest.mark.parametrize("few", [0, 2000], ids=["by the index of the order", "by the runs that pass"])
def test_pages_follow_each_other_both_ways(
    project: Project, address: str, expected: list[str], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "FEW", few)
    monkeypatch.setattr("runs.reading.table_rows.PAGE_SIZE", 2)
    assert walked(project, address) == expected


@pytest.mark.parametrize("column", [*ordering.COLUMNS, *ordering.METRICS])
def test_every_order_is_paged_through(project: Project, column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.reading.table_rows.PAGE_SIZE", 1)
    for sort in (column, f"-{column}"):
        assert sorted(walked(project, f"sort={sort}")) == list("abcde")


@pytest.mark.django_db
def test_runs_that_go_on_stand_among_those_that_are_over_by_the_time_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project, now = builders.build_project(), timezone.now()
    sweep = builders.build_sweep(project)
    builders.build_run(sweep=sweep, name="q")  # has no time
    for name, seconds, ended in (("a", 100, True), ("r", 200, False), ("b", 300, True), ("s", 400, False)):
        build = builders.build_finished_run if ended else builders.build_running_run
        run, began = build(sweep, name=name), now - timedelta(seconds=seconds)
        Run.objects.filter(pk=run.pk).update(started_at=began, ended_at=now if ended else None)
    for size in (1, 2, 3):
        monkeypatch.setattr("runs.reading.table_rows.PAGE_SIZE", size)
        assert "".join(walked(project, "sort=time")) == "arbsq"
        assert "".join(walked(project, "sort=-time")) == "sbraq"


def test_a_page_knows_its_place_and_a_run_that_is_gone_leaves_no_gap(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.reading.table_rows.PAGE_SIZE", 2)
    query = read(project, "")
    cursor = page_of(project, query).window.next
    assert cursor is not None
    Run.objects.filter(pk=cursor.run).update(deleted_at=timezone.now())
    page = page_of(project, read(project, query.beside(cursor, "after")[1:]))
    assert on_page(page) == "cb"
    assert page.window.first == 3


def test_what_is_counted_to_the_end_is_exact_and_else_a_bound(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "FEW", 0)
    monkeypatch.setattr(paging, "COUNTED", 2)
    counts = {
        address: page_of(project, read(project, address)).count
        for address in ("", "status=finished", "metric.val_loss=..0.3", "metric.val_loss=..", "status=failed")
    }
    assert [(count.number, count.more) for count in counts.values()] == [
        (5, False), (2, True), (1, False), (2, True), (0, False),
    ]  # fmt: skip


def test_columns_show_metrics_and_parameters(project: Project) -> None:
    query = read(
        project, "columns=metric.val_loss,param.training.hidden_units,param.training.dropout&sort=run"
    )
    page = page_of(project, query)
    values = [[cell.value for cell in page.cells[run.pk]] for run in page.runs[:2]]
    assert values == [[0.5, "16", 0], [0.1, "64,64", 0.2]]
    assert [cell.value for cell in page.cells[page.runs[-1].pk]] == [None, "", 0]


def test_a_metric_whose_name_ends_like_an_aspect_can_be_named(project: Project) -> None:
    run = Run.objects.get(name="a")
    write_metrics(run.pk, project.pk, {"loss.min": MetricState(3, 1, 4)})
    assert names(project, "metric.loss.min.last=3") == "a"
    assert "metric.loss.min.last" in names_of(project).typed
    assert len(read(project, "metric.loss.min=3").warnings) == 1


def test_metrics_of_other_projects_are_not_offered(project: Project) -> None:
    found = names_of(project).typed
    assert "metric.val_loss" in found
    assert "param.training.learning_rate" in found
    assert "metric.elsewhere" not in found


def test_choices_are_what_the_runs_have(project: Project) -> None:
    found = choices(project)
    assert found["depth"] == ["0", "1", "2"]
    assert found["width"] == ["16", "64"]
    assert found["activation"] == ["none", "relu", "tanh"]


@pytest.mark.django_db
def test_an_empty_project_has_no_choices() -> None:
    assert choices(builders.build_project())["depth"] == []
    assert names_of(builders.build_project()).typed == []
