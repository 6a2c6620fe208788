"""Typed rows: what a configuration and the metrics of a run become, and what they survive."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from runs import submission
from runs.models import Name, RunMetric, RunParam
from runs.store.metrics import MetricState, write_metrics
from runs.store.names import name_ids
from runs.store.params import MAX_PARAMS, ParamsError, flattened, write_params, write_params_of
from tests.runs import builders
from tests.runs.submissions import parsed


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, (0.5, None)),
        (7, (7.0, None)),
        (True, (1.0, "true")),
        (False, (0.0, "false")),
        ("adam", (None, "adam")),
        ([64, 64], (None, "64,64")),
        ([], (None, "")),
        ([True, None, "a"], (None, "true,,a")),
        ([[1, 2], {"a": 1}], (None, '[[1,2],{"a":1}]')),
        (float("nan"), (None, "nan")),
        (10**400, (None, str(10**400)[:250])),
        ("x" * 300, (None, "x" * 250)),
        ("a\x00b\ud800", (None, "ab?")),
    ],
)
def test_a_value_is_a_number_a_text_or_both(value: Any, expected: tuple[Any, Any]) -> None:
    assert flattened({"name": value}) == {"name": expected}


def test_tables_are_flattened_with_dots_and_none_is_left_out() -> None:
    config = {"data": {"rows": 3, "none": None, "empty": {}}, "training": {"a": {"b": "c"}}}
    assert list(flattened(config)) == ["data.rows", "training.a.b"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"": 1}, "1 to 250 characters, got 0"),
        ({"n" * 251: 1}, "1 to 250 characters, got 251"),
        ({"a": {"b" * 249: 1}}, "got 251"),
        ({"a\nb": 1}, "without control characters"),
        ({"\ud800": 1}, "without control characters"),
        ({"a.b": 1, "a": {"b": 2}}, "one value for the parameter 'a.b', got two"),
        ({str(number): number for number in range(MAX_PARAMS + 1)}, "at most 500 parameters"),
    ],
)
def test_a_configuration_that_cannot_be_flattened_says_why(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        flattened(config)


def test_tables_in_each_other_without_end_are_refused() -> None:
    config: dict[str, Any] = {"leaf": 1}
    for _ in range(1000):
        config = {"a": config}
    with pytest.raises(ParamsError, match="at most 20 tables"):
        flattened(config)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@pytest.mark.django_db
@given(st.dictionaries(st.text(max_size=8), _values, max_size=8))
def test_what_is_flattened_is_stored_as_it_is(config: dict[str, Any]) -> None:
    try:
        expected = flattened(config)
    except ParamsError:
        return
    with transaction.atomic():
        run = builders.build_run()
        run.config = config
        write_params(run)
        rows = RunParam.objects.filter(run=run).values_list("name__text", "number", "text")
        assert {name: (number, text) for name, number, text in rows} == expected
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_a_submission_writes_the_parameters_of_its_runs() -> None:
    sweep = submission.submit(parsed(seeds=3), None)
    rows = RunParam.objects.filter(run__sweep=sweep)
    assert rows.filter(name__text="training.seed").count() == 3
    assert rows.filter(name__text="training.hidden_units", text="4").count() == 3
    assert set(rows.values_list("project", flat=True)) == {sweep.project_id}


@pytest.mark.django_db
def test_writing_again_replaces_what_was_written() -> None:
    run = builders.build_run()
    run.config = {"a": 1, "b": 2}
    write_params(run)
    run.config = {"b": "two"}
    write_params(run)
    assert list(RunParam.objects.filter(run=run).values_list("name__text", "number", "text")) == [
        ("b", None, "two")
    ]


@pytest.mark.django_db
def test_many_runs_are_written_with_few_queries(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    runs = [builders.build_run() for _ in range(20)]
    with django_assert_max_num_queries(12):
        write_params_of(runs)
    assert RunParam.objects.filter(run=runs[-1]).count() == len(flattened(runs[-1].config))


@pytest.mark.django_db
def test_metrics_are_written_over_and_others_are_left() -> None:
    run = builders.build_run()
    write_metrics(run.pk, run.project_id, {})
    write_metrics(run.pk, run.project_id, {"a": MetricState(1, 0, 2), "b": MetricState(3, 3, 3)})
    write_metrics(run.pk, run.project_id, {"a": MetricState(None, -1, 2)})
    rows = RunMetric.objects.filter(run=run).values_list("name__text", "last", "minimum", "maximum")
    assert set(rows) == {("a", None, -1, 2), ("b", 3, 3, 3)}


@pytest.mark.django_db
def test_ten_thousand_metrics_are_written() -> None:
    run = builders.build_run()
    write_metrics(run.pk, run.project_id, {f"m{i}": MetricState(i, i, i) for i in range(10_000)})
    assert RunMetric.objects.filter(run=run).count() == 10_000


@pytest.mark.django_db
def test_a_name_of_a_rolled_back_write_is_given_again() -> None:
    def fail() -> None:
        with transaction.atomic():
            name_ids({"loss"})
            raise ParamsError

    with pytest.raises(ParamsError):
        fail()
    run = builders.build_run()
    write_metrics(run.pk, run.project_id, {"loss": MetricState(1, 1, 1)})
    assert Name.objects.get(text="loss").pk == RunMetric.objects.get(run=run).name_id
