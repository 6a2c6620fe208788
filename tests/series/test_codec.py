"""Codec: every bit comes back, and nothing else is taken for a blob."""

from __future__ import annotations

import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nnlab.series import pco
from nnlab.series.codec import MAX_COUNT, decode, decode_steps, encode, encode_steps
from nnlab.series.errors import SeriesError

Bits = NDArray[np.generic]
Buffer = Callable[[bytes], bytes | bytearray | memoryview]
INT64 = st.integers(-(2**63), 2**63 - 1)
SIGNALLING_NAN = 0x7FF0_0000_0000_0001
ODD_BITS = [0, 1 << 63, 0x7FF << 52, 0xFFF << 52, SIGNALLING_NAN, 0x7FF8 << 48, 0xFFF8_0000_DEAD_BEEF, 1]


def floats_of(bits: list[int]) -> NDArray[np.float64]:
    return np.array(bits, np.uint64).view(np.float64)


def assert_same_bits(got: Bits, expected: Bits) -> None:
    assert got.dtype == expected.dtype
    assert got.tobytes() == expected.tobytes()


def sealed(content: bytes) -> bytes:
    """Give forged content a checksum that holds."""
    return content + struct.pack("<I", zlib.crc32(content))


@pytest.fixture(params=["pcodec", "deflate"], autouse=True, scope="module")
def packer(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run each test with pcodec and as on a machine that lacks it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pco, "IS_INSTALLED", request.param == "pcodec")
        yield request.param


@given(st.lists(st.integers(0, 2**64 - 1) | st.sampled_from(ODD_BITS)))
def test_any_float64_bits_come_back(bits: list[int]) -> None:
    values = floats_of(bits)
    assert_same_bits(decode(encode(values)), values)


@given(st.lists(st.floats(width=32)))
def test_any_float32_values_come_back(numbers: list[float]) -> None:
    values = np.array(numbers, np.float64)
    assert_same_bits(decode(encode(values)), values)


@given(st.sampled_from(ODD_BITS), st.integers(0, 50))
def test_constant_values_come_back(bits: int, count: int) -> None:
    values = floats_of([bits] * count)
    assert_same_bits(decode(encode(values)), values)


@given(st.lists(INT64))
def test_any_int64_steps_come_back(numbers: list[int]) -> None:
    steps = np.array(numbers, np.int64)
    assert_same_bits(decode_steps(encode_steps(steps)), steps)


@given(INT64, st.integers(-(2**40), 2**40), st.integers(0, 50))
def test_regular_steps_come_back_even_where_they_wrap_around(start: int, stride: int, count: int) -> None:
    steps = np.int64(start) + np.arange(count, dtype=np.int64) * np.int64(stride)
    blob = encode_steps(steps)
    assert len(blob) == 26
    assert_same_bits(decode_steps(blob), steps)


def test_constant_values_and_regular_steps_cost_26_bytes() -> None:
    assert len(encode(np.full(4096, np.nan))) == 26
    assert len(encode_steps(np.arange(10, 40970, 10))) == 26


def test_values_that_float32_holds_cost_half() -> None:
    noise = np.random.default_rng(3).standard_normal(4096)
    noise[::64] = np.nan
    narrow = encode(noise.astype(np.float32))
    assert len(narrow) < 4 * 4096
    assert len(encode(noise)) > 1.7 * len(narrow)


def test_irregular_steps_cost_less_than_a_byte_each() -> None:
    steps = np.cumsum(np.random.default_rng(4).integers(1, 4, 4096))
    assert len(encode_steps(steps)) < 4096


def test_pcodec_packs_what_deflate_cannot(packer: str) -> None:
    rates = 1e-3 * np.cos(np.arange(4096) / 1e5)
    assert (len(encode(rates)) < 5000) == (packer == "pcodec")


OLD_VALUES = {
    "01020400000063608081030df60df5f5001cdb2cc0": [0.5, -0.0, np.nan, np.inf],
    "0101030000009b3587616629c34c0686991d0c336d18663e61d869ce625f7700004faef1d1": [0.1, 1e300, -2.5],
    "0100050000000000000000001d400000000000000000600c4998": [7.25] * 5,
}
OLD_STEPS = {
    "0201050000006366faff998181e1ff7f0204001b3c33df": [3, 5, 4, -9, -9],
    "0200030000000a000000000000000a000000000000004e93a34c": [10, 20, 30],
}


def test_blobs_from_before_pcodec_are_read() -> None:
    for blob, values in OLD_VALUES.items():
        assert_same_bits(decode(bytes.fromhex(blob)), np.array(values))
    for blob, steps in OLD_STEPS.items():
        assert_same_bits(decode_steps(bytes.fromhex(blob)), np.array(steps))


def test_without_pcodec_numbers_are_deflated_and_what_it_packed_is_refused() -> None:
    program = f"""
import sys
sys.modules["pcodec"] = None  # what an import of it finds where it is not installed
from nnlab.series.codec import decode, encode
from nnlab.series.errors import SeriesError
print(decode(encode([0.5, 3.25, 7.0])).tolist(), encode([0.5, 3.25, 7.0])[1])
try:
    decode(bytes.fromhex("{encode_by_pcodec([0.5, 3.25, 7.0]).hex()}"))
except SeriesError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [
        "[0.5, 3.25, 7.0] 2",
        "expected pcodec, which packed this blob, got none; install it: pip install pcodec",
    ]


def encode_by_pcodec(values: list[float]) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pco, "IS_INSTALLED", True)
        return encode(values)


def test_narrow_and_foreign_floats_are_widened_exactly() -> None:
    values = np.array([1.5, -0.0, np.inf])
    for dtype in (np.float16, np.float32, ">f8"):
        assert_same_bits(decode(encode(values.astype(dtype))), values)


def test_the_largest_blob_comes_back() -> None:
    values = np.zeros(MAX_COUNT)
    assert_same_bits(decode(encode(values)), values)


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_any_kind_of_buffer_is_read(wrap: Buffer) -> None:
    values = np.array([0.1, 0.2, 0.4])
    assert_same_bits(decode(wrap(encode(values))), values)


@given(st.lists(st.floats(width=64), max_size=20), st.data())
def test_a_cut_blob_is_refused(numbers: list[float], data: st.DataObject) -> None:
    blob = encode(np.array(numbers, np.float64))
    with pytest.raises(SeriesError, match="cut"):
        decode(blob[: data.draw(st.integers(0, len(blob) - 1))])


@given(st.lists(INT64, max_size=20), st.data())
def test_one_changed_byte_is_noticed(numbers: list[int], data: st.DataObject) -> None:
    blob = bytearray(encode_steps(np.array(numbers, np.int64)))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SeriesError, match="expected"):
        decode_steps(blob)


@given(st.binary(max_size=200), st.integers(1, 2), st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_forged_content_is_an_error_or_an_array(body: bytes, kind: int, layout: int, count: int) -> None:
    blob = sealed(struct.pack("<BBI", kind, layout, count) + body)
    for read in (decode, decode_steps):
        try:
            assert read(blob).shape == (count,)
        except SeriesError:
            continue


def deflated(raw: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return packer.compress(raw) + packer.flush()


FORGERIES = {
    "unknown format": (b"\x09\x01" + struct.pack("<I", 1), "unknown format 9"),
    "unknown layout": (b"\x01\x07" + struct.pack("<I", 1), "got 7"),
    "huge claim": (b"\x01\x00" + struct.pack("<Iqq", MAX_COUNT + 1, 0, 0), "at most 4,194,304"),
    "body too long": (b"\x01\x01" + struct.pack("<I", 2) + deflated(bytes(17)), "more than 16"),
    "body too short": (b"\x01\x01" + struct.pack("<I", 2) + deflated(bytes(15)), "got 15"),
    "more after the body": (
        b"\x01\x01" + struct.pack("<I", 2) + deflated(bytes(16)) + b"!",
        "16 bytes in all",
    ),
    "no deflate stream": (b"\x01\x01" + struct.pack("<I", 2) + b"\xff\xff", "broken stream"),
    "stream without an end": (
        b"\x01\x01" + struct.pack("<I", 2) + deflated(bytes(16))[:-1],
        "16 bytes in all",
    ),
    "bad progression": (b"\x01\x00" + struct.pack("<I", 2) + bytes(15), "16 bytes for start and stride"),
}


@pytest.mark.parametrize(("content", "message"), FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_blob_is_refused_with_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(SeriesError, match=message):
        decode(sealed(content))


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"\x01\x04\x02\x00\x00\x00", "2 numbers packed by pcodec, got more"),
        (b"\x01\x04\x04\x00\x00\x00", "4 numbers packed by pcodec, got 3"),
        (b"\x01\x03\x03\x00\x00\x00", "3 numbers packed by pcodec, got a broken stream"),
    ],
)
def test_a_forged_blob_of_pcodec_is_refused(
    start: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pco, "IS_INSTALLED", True)
    body = encode([0.5, 3.25, 7.0])[len(start) : -4]
    with pytest.raises(SeriesError, match=message):
        decode(sealed(start + body))


def test_an_empty_deflated_body_is_an_empty_series() -> None:
    assert decode(sealed(b"\x01\x01" + struct.pack("<I", 0) + deflated(b""))).shape == (0,)


def test_values_are_not_read_as_steps() -> None:
    with pytest.raises(SeriesError, match=r"format 2 \(steps\), got format 1 \(values\)"):
        decode_steps(encode([0.5]))
    with pytest.raises(SeriesError, match=r"format 1 \(values\), got format 2 \(steps\)"):
        decode(encode_steps([5]))


def test_a_bomb_is_refused_before_it_fills_the_memory() -> None:
    bomb = sealed(b"\x01\x01" + struct.pack("<I", 2) + deflated(bytes(100_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(SeriesError, match="more than 16"):
            decode(bomb)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_what_is_no_series_is_refused() -> None:
    with pytest.raises(SeriesError, match=r"one dimension, got shape \(2, 2\)"):
        encode(np.zeros((2, 2)))
    with pytest.raises(SeriesError, match="floats of at most 64 bits, got int64"):
        encode([1, 2])
    with pytest.raises(SeriesError, match="got float64; convert"):
        encode_steps([1.0])
    with pytest.raises(SeriesError, match="got uint64"):
        encode_steps(np.array([1], np.uint64))
    with pytest.raises(SeriesError, match=r"got (longdouble|float128)"):
        encode(np.array([1], np.longdouble))
    with pytest.raises(SeriesError, match="at most 4,194,304 numbers in a blob, got 4,194,305"):
        encode_steps(np.zeros(MAX_COUNT + 1, np.int64))


def test_a_list_without_numbers_is_an_empty_series() -> None:
    assert_same_bits(decode(encode([])), np.array([], np.float64))
    assert_same_bits(decode_steps(encode_steps([])), np.array([], np.int64))
