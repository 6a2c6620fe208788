"""The batch format: every bit back, and nothing believed that is not there."""

from __future__ import annotations

import struct
import zlib
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nnlab.series.batch import Key, Points, decode_batch, encode_batch, points_in, series_in
from nnlab.series.errors import SeriesError

steps_of = st.integers(0, 40).flatmap(lambda n: arrays(np.int64, n))
keys = st.tuples(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20),
    st.none() | st.integers(0, 10_000),
)


@st.composite
def batches(draw: st.DrawFn) -> dict[Key, Points]:
    vectors = draw(st.lists(steps_of, min_size=1, max_size=3))
    found: dict[Key, Points] = {}
    for key in draw(st.lists(keys, unique=True, max_size=5)):
        steps = draw(st.sampled_from(vectors))
        width: Literal[32, 64] = draw(st.sampled_from((32, 64)))
        values = draw(arrays(np.float64, len(steps), elements=st.floats(width=width)))
        found[key] = (steps, values)
    return found


def build_batch() -> dict[Key, Points]:
    steps = np.arange(100, 2_100, 2)
    return {("loss", None): (steps, np.linspace(0, 1, 1000)), ("norm", 3): (steps, np.ones(1000))}


def signed(content: bytes) -> bytes:
    """Give a changed batch a checksum that fits: what is wrong has to be found behind it."""
    return content + struct.pack("<I", zlib.crc32(content))


@given(batches())
def test_every_bit_of_steps_and_values_comes_back(points: dict[Key, Points]) -> None:
    blob = encode_batch(points)
    found = decode_batch(blob)
    assert found.keys() == points.keys()
    for key, (steps, values) in points.items():
        assert found[key][0].tolist() == steps.tolist()
        assert found[key][1].tobytes() == values.tobytes()
    assert points_in(blob) == sum(len(steps) for steps, _ in points.values())
    assert series_in(blob) == len(points)


def test_regular_steps_cost_nothing_and_are_stored_once() -> None:
    assert len(encode_batch(build_batch())) < 1000 * (8 + 4) + 120


def test_only_the_series_asked_for_are_read() -> None:
    blob = encode_batch(build_batch())
    assert decode_batch(blob, {("norm", 3), ("other", None)}).keys() == {("norm", 3)}


@given(st.data())
def test_a_batch_that_was_cut_or_changed_is_refused(data: st.DataObject) -> None:
    blob = encode_batch(build_batch())
    place = data.draw(st.integers(0, len(blob) - 1))
    changed = bytearray(blob)
    changed[place] ^= data.draw(st.integers(1, 255))
    for bad in (blob[:place], bytes(changed)):
        with pytest.raises(SeriesError):
            decode_batch(bad)


@given(st.binary(max_size=200))
def test_rubbish_with_a_right_checksum_is_refused_or_read(content: bytes) -> None:
    header = struct.pack("<4sBBHIQ", b"NNLB", 1, 0, 1, 1, 1)
    try:
        decode_batch(signed(header + content))
    except SeriesError:
        return


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (struct.pack("<BIqq", 0, 10**9, 0, 1) + b"\1\0m" + struct.pack("<iHB", -1, 0, 4), "more bytes"),
        (struct.pack("<BIqq", 0, 2, 2**62, 2**62) + b"\1\0m" + struct.pack("<iHB", -1, 0, 4), "64 bits"),
        (struct.pack("<BI", 1, 10**9), "more bytes"),
        (struct.pack("<BIqq", 2, 1, 0, 1), "kind 0 or 1"),
        (struct.pack("<BIqq", 0, 1, 0, 1) + b"\1\0m" + struct.pack("<iHBf", -1, 7, 4, 0), "vector 7"),
        (struct.pack("<BIqq", 0, 1, 0, 1) + b"\1\0m" + struct.pack("<iHBf", 10**6, 0, 4, 0), "layer"),
        (struct.pack("<BIqq", 0, 1, 0, 1) + b"\1\0\a" + struct.pack("<iHBf", -1, 0, 4, 0), "visible"),
        (struct.pack("<BIqq", 0, 1, 0, 1) + b"\1\0\xff" + struct.pack("<iHBf", -1, 0, 4, 0), "UTF-8"),
        (
            struct.pack("<BIqq", 0, 1, 0, 1) + b"\1\0m" + struct.pack("<iHBff", -1, 0, 4, 0, 0),
            "nothing after",
        ),
    ],
)
def test_what_a_batch_claims_is_checked_against_what_it_holds(content: bytes, words: str) -> None:
    header = struct.pack("<4sBBHIQ", b"NNLB", 1, 0, 1, 1, 1)
    with pytest.raises(SeriesError, match=words):
        decode_batch(signed(header + content))


def test_a_series_may_stand_in_a_batch_once() -> None:
    one = b"\1\0m" + struct.pack("<iHBf", -1, 0, 4, 0)
    content = struct.pack("<4sBBHIQ", b"NNLB", 1, 0, 1, 2, 2) + struct.pack("<BIqq", 0, 1, 0, 1) + one + one
    with pytest.raises(SeriesError, match="twice"):
        decode_batch(signed(content))


@pytest.mark.parametrize("name", ["", "x" * 251, " loss", "loss ", "a\nb", "a\x00b", "a\u200bb", "\ud800"])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises(SeriesError, match="expected a name"):
        encode_batch({(name, None): (np.arange(1), np.zeros(1))})


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(SeriesError, match="one step a value"):
        encode_batch({("loss", None): (np.arange(2), np.zeros(3))})
