"""Counter-based random numbers: fixed for ever, and random enough."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nnlab.engine.counter_random import Stream, key, mixed, normals, permutation, random_words, uniforms

DRAWS = 200_000
KEY_OF_7_DROPOUT_2_3 = 0x08F8CD1253020FDC
WORDS_OF_7_DROPOUT_2_3 = [272882089, 664512596, 3441270416]


def words_by_the_formula(full_key: int, counters: range) -> list[int]:
    """The documented hash, on Python integers."""
    found = []
    for counter in counters:
        x = counter ^ (full_key >> 32)
        x = (((x ^ (x >> 16)) * 0x7FEB352D) % 2**32) ^ (full_key % 2**32)
        x = ((x ^ (x >> 15)) * 0x846CA68B) % 2**32
        found.append(x ^ (x >> 16))
    return found


@given(full_key=st.integers(0, 2**64 - 1))
@settings(deadline=None)
def test_words_follow_the_documented_formula(full_key: int) -> None:
    assert random_words(full_key, 5).tolist() == words_by_the_formula(full_key, range(5))


def test_the_stream_never_changes() -> None:
    full_key = mixed(key(7, Stream.DROPOUT, 2), 3)
    assert full_key == KEY_OF_7_DROPOUT_2_3
    assert random_words(full_key, 3).tolist() == WORDS_OF_7_DROPOUT_2_3


def test_a_number_does_not_depend_on_how_many_are_drawn() -> None:
    full_key = key(1, Stream.WEIGHTS)
    np.testing.assert_array_equal(normals(full_key, 10), normals(full_key, 1000)[:10])


def test_streams_layers_steps_and_seeds_differ() -> None:
    keys = {
        mixed(key(seed, stream, layer), step)
        for seed in range(5)
        for stream in Stream
        for layer in range(5)
        for step in range(5)
    }
    assert len(keys) == 5 * len(Stream) * 5 * 5


@pytest.mark.parametrize("seed", range(3))
def test_uniforms_are_uniform_and_independent_of_their_neighbours(seed: int) -> None:
    full_key = key(seed, Stream.DROPOUT)
    values = uniforms(full_key, DRAWS)
    assert stats.kstest(values, "uniform").pvalue > 1e-3
    next_step = uniforms(mixed(full_key, 1), DRAWS)
    for a, b in [(values[:-1], values[1:]), (values[:-100], values[100:]), (values, next_step)]:
        assert abs(np.corrcoef(a, b)[0, 1]) < 4.0 / np.sqrt(DRAWS)


def test_one_counter_is_uniform_over_steps_and_seeds() -> None:
    start = key(0, Stream.DROPOUT)
    over_steps = [uniforms(mixed(start, step), 1)[0] for step in range(5000)]
    over_seeds = [uniforms(key(seed, Stream.DROPOUT), 1)[0] for seed in range(5000)]
    for values in (over_steps, over_seeds):
        assert stats.kstest(values, "uniform").pvalue > 1e-3
        assert abs(np.corrcoef(list(pairwise(values)), rowvar=False)[0, 1]) < 4.0 / np.sqrt(5000)


def test_normals_are_normal() -> None:
    values = normals(key(3, Stream.WEIGHTS), DRAWS)
    assert stats.kstest(values, "norm").pvalue > 1e-3
    assert np.isfinite(values).all()


@given(count=st.integers(1, 300), seed=st.integers(0, 2**63 - 1))
@settings(deadline=None)
def test_a_permutation_holds_every_row_once(count: int, seed: int) -> None:
    assert sorted(permutation(key(seed, Stream.SHUFFLE), count).tolist()) == list(range(count))


def test_every_row_goes_everywhere_equally_often() -> None:
    start = key(0, Stream.SHUFFLE)
    places = np.zeros((6, 6))
    for epoch in range(3000):
        places[np.arange(6), permutation(mixed(start, epoch), 6)] += 1
    assert stats.chisquare(places.ravel(), ddof=10).pvalue > 1e-3
