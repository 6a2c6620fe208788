"""Controlled and confounded pairs: against a search through all pairs."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from nnlab.stats.controlled import Pair, Setting, confounded_pairs, controlled_pairs, varied

OPTIONAL = {"rate": st.sampled_from([0.1, 0.01]), "activation": st.sampled_from("ab")}
SETTINGS = st.lists(
    st.fixed_dictionaries({"depth": st.integers(1, 4)}, optional=OPTIONAL),
    max_size=12,
    unique_by=lambda one: tuple(sorted(one.items())),
)


def differing(one: Setting, two: Setting) -> tuple[str, ...]:
    return tuple(sorted(knob for knob in {*one, *two} if one.get(knob) != two.get(knob)))


@given(SETTINGS)
def test_controlled_pairs_are_all_that_differ_in_one_knob(settings: list[Setting]) -> None:
    """With at most four levels of each knob, none is left out."""
    found = {frozenset((pair.before, pair.after)): pair.knobs for pair in controlled_pairs(settings)}
    expected = {
        frozenset((one, two)): differing(settings[one], settings[two])
        for one, two in itertools.combinations(range(len(settings)), 2)
        if len(differing(settings[one], settings[two])) == 1
    }
    assert found == expected


@given(SETTINGS)
def test_confounded_pairs_differ_in_two_or_three_knobs_with_nothing_between(settings: list[Setting]) -> None:
    for pair in confounded_pairs(settings):
        one, two = settings[pair.before], settings[pair.after]
        assert differing(one, two) == pair.knobs
        assert len(pair.knobs) in {2, 3}
        for other in settings:
            steps = {*differing(one, other), *differing(other, two)}
            is_between = steps == set(pair.knobs) and other not in (one, two)
            assert not is_between or len(differing(one, other)) + len(differing(other, two)) > len(steps)


@given(SETTINGS)
def test_a_lone_couple_that_differs_in_two_knobs_is_found(settings: list[Setting]) -> None:
    for one, two in itertools.pairwise(settings):
        size = len(differing(one, two))
        assert len(confounded_pairs([one, two])) == (size in {2, 3})


def test_many_levels_are_paired_with_their_neighbours() -> None:
    settings: list[Setting] = [{"rate": rate / 10} for rate in (3, 1, 2, 7, 5, 6, 4)]
    found = controlled_pairs(settings)
    assert [(settings[pair.before]["rate"], settings[pair.after]["rate"]) for pair in found] == [
        *((0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (0.6, 0.7)),
    ]


def test_a_missing_control_is_one_that_was_run_in_neither_way() -> None:
    one, two = {"depth": 1, "rate": 0.1}, {"depth": 2, "rate": 0.01}
    assert confounded_pairs([one, two]) == [Pair(0, 1, ("depth", "rate"))]
    assert confounded_pairs([one, two, {"depth": 1, "rate": 0.01}]) == []
    assert controlled_pairs([one, two, {"depth": 1, "rate": 0.01}]) == [
        Pair(2, 1, ("depth",)),
        Pair(2, 0, ("rate",)),
    ]


def test_knobs_that_never_vary_are_no_knobs() -> None:
    assert varied([{"depth": 1, "rate": 0.1}, {"depth": 2, "rate": 0.1}]) == ["depth"]
    assert varied([{"depth": 1}, {"depth": 1, "rate": 0.1}]) == ["rate"]
    assert controlled_pairs([]) == []


def test_very_many_knobs_are_not_searched_for_confounded_pairs() -> None:
    settings: list[Setting] = [
        {f"knob {place}": index % (place + 2) for place in range(60)} for index in range(300)
    ]
    assert confounded_pairs(settings) == []
