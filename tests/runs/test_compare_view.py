"""The address of a comparison: what is written is what was read, and what is not understood is said."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from nnlab.stats.groups import Band
from runs.pages.comparing.tabs import TABS
from runs.pages.comparing.view import AXES, BANDS, MEDIAN_BANDS, CompareView, Tab, parse_view
from runs.reading.values import storable

OWN = Tab("own", "Own", "", lambda *_: {}, fields=("xcost", "axis."))
ALL = (*TABS, OWN)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20).filter(
    lambda text: storable(text) == text
)
EDGES = st.none() | st.floats(-1e9, 1e9).map(lambda value: value + 0.0)


def test_the_form_unfolds_where_the_address_says_something_that_it_folds() -> None:
    assert not CompareView(metric="val_loss", color="depth", facet="width", x="epoch").has_further
    assert CompareView(agg="median", band="quartiles").has_further
    assert CompareView(first=2.0).has_further


@st.composite
def views(draw: st.DrawFn) -> CompareView:
    agg = draw(st.sampled_from(["mean", "median"]))
    first, last = draw(EDGES), draw(EDGES)
    if first is not None and last is not None and first >= last:
        last = None
    fields: dict[str, Any] = {
        "tab": draw(st.sampled_from([tab.key for tab in ALL])),
        "x": draw(st.sampled_from(AXES)),
        "ylog": draw(st.none() | st.booleans()),
        "smooth": draw(st.integers(0, 990)) / 1000,
        **{name: draw(NAMES) for name in ("metric", "color", "dash", "facet")},
        "agg": agg,
        "band": draw(st.sampled_from(BANDS if agg == "mean" else MEDIAN_BANDS)),
        "hide": tuple(
            sorted(draw(st.sets(st.text("0123456789abcdef", min_size=12, max_size=12), max_size=4)))
        ),
        "extra": draw(st.dictionaries(st.sampled_from(["xcost", "axis.a.b", "axis.é"]), NAMES.filter(bool))),
    }
    return CompareView(first=first, last=last, **fields)


@given(views())
def test_a_view_is_read_as_it_was_written(view: CompareView) -> None:
    warnings: list[str] = []
    assert parse_view(QueryDict(view.address()[1:]), ALL, warnings) == view
    assert warnings == []
    form = QueryDict(mutable=True)
    for name, value in view.pairs():
        form.appendlist(name, value)
    assert parse_view(form, ALL, warnings).address() == view.address()


@given(
    st.dictionaries(
        st.sampled_from(["tab", "x", "ylog", "smooth", "agg", "band", "from", "to", "hide"]), NAMES
    )
)
def test_no_address_is_an_error(fields: dict[str, str]) -> None:
    query = QueryDict(mutable=True)
    query.update(fields)
    view = parse_view(query, ALL, [])
    assert parse_view(QueryDict(view.address()[1:]), ALL, []) == view


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("x=day", "x=day is not known; expected one of step, epoch, time, examples."),
        ("smooth=1", "smooth=1 is not between 0 and 0.99"),
        ("smooth=nan", "smooth=nan is not a number"),
        ("from=9&to=3", "from=9 is not below to=3"),
        ("agg=median&band=ci95", "band=ci95 is not known; expected one of quartiles, minmax, none."),
        ("ylog=2", "ylog=2 is not known; expected one of 0, 1."),
        ("hide=<b>", "hide=<b>: expected at most"),
    ],
)
def test_what_is_not_understood_is_said(address: str, words: str) -> None:
    warnings: list[str] = []
    assert parse_view(QueryDict(address), ALL, warnings).address(agg="mean", band="ci95") == "?"
    assert len(warnings) == 1
    assert words in warnings[0]


def test_the_runs_come_first_and_defaults_are_left_out() -> None:
    view = parse_view(
        QueryDict("facet=depth&x=step&xcost=time&agg=median&band=quartiles"), ALL, [], [("q", "a b")]
    )
    assert view.address() == "?q=a%20b&facet=depth&agg=median&xcost=time"
    assert (
        view.address(extra={"xcost": "", "axis.lr.log": "1"}, facet="") == "?q=a%20b&agg=median&axis.lr.log=1"
    )


def test_every_band_of_the_statistics_can_be_asked_for() -> None:
    assert set(BANDS) == set(get_args(Band))
