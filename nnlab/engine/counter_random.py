"""Random numbers as a pure function of a counter: the same on every machine, in any order.

A 64-bit key is mixed from (seed, stream, layer, step), with splitmix64's finalizer after each part. Word
``index`` of that key is a 32-bit hash (lowbias32 with the key's halves k0 = high, k1 = low folded in)::

    x = index ^ k0
    x = (x ^ x >> 16) * 0x7feb352d ^ k1
    x = (x ^ x >> 15) * 0x846ca68b
    x =  x ^ x >> 16

all modulo 2**32. Nothing depends on how many numbers are drawn at once.

Source: S. Vigna, splitmix64; C. Wellons, lowbias32 (2018). Ours adds the key between the two rounds, so that
two keys never give shifted copies of one sequence.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

_M64 = 2**64 - 1


class Stream(IntEnum):
    """What the numbers are for, so that no two purposes share any."""

    WEIGHTS = 1
    SHUFFLE = 2
    DROPOUT = 3
    BIASES = 4


def mixed(state: int, part: int) -> int:
    """Fold one more part into a key."""
    x = (state + part * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & _M64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _M64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _M64
    return x ^ (x >> 31)


def key(seed: int, stream: Stream, layer: int = 0) -> int:
    """Mix the parts of a key that stay for a run; ``mixed(key, step)`` adds the step."""
    return mixed(mixed(mixed(0, seed), stream), layer)


def fill_words(words: Words, counters: Words, scratch: Words, full_key: int) -> None:
    """Hash each counter into ``words``; all three arrays have one shape, and nothing is allocated."""
    np.bitwise_xor(counters, np.uint32(full_key >> 32), out=words)
    np.right_shift(words, 16, out=scratch)
    np.bitwise_xor(words, scratch, out=words)
    np.multiply(words, np.uint32(0x7FEB352D), out=words)
    np.bitwise_xor(words, np.uint32(full_key & 0xFFFFFFFF), out=words)
    np.right_shift(words, 15, out=scratch)
    np.bitwise_xor(words, scratch, out=words)
    np.multiply(words, np.uint32(0x846CA68B), out=words)
    np.right_shift(words, 16, out=scratch)
    np.bitwise_xor(words, scratch, out=words)


def random_words(full_key: int, count: int) -> Words:
    """Hash the counters 0 .. count-1."""
    counters = np.arange(count, dtype=np.uint32)
    words = np.empty_like(counters)
    fill_words(words, counters, np.empty_like(counters), full_key)
    return words


def uniforms(full_key: int, count: int) -> NDArray[np.float64]:
    """Draw from the open interval (0, 1), on the grid of (word + 1/2) / 2**32."""
    return (random_words(full_key, count).astype(np.float64) + 0.5) / 2.0**32


def normals(full_key: int, count: int) -> NDArray[np.float64]:
    """Draw standard normals by Box and Muller: number i comes from the words 2i and 2i + 1."""
    pairs = uniforms(full_key, 2 * count).reshape(count, 2)
    radius = np.sqrt(-2.0 * np.log(pairs[:, 0]))
    return np.asarray(radius * np.cos(2.0 * np.pi * pairs[:, 1]), np.float64)


def permutation(full_key: int, count: int) -> NDArray[np.int64]:
    """Order 0 .. count-1 by their words; equal words keep their order."""
    tagged = random_words(full_key, count).astype(np.uint64) << np.uint64(32)
    tagged |= np.arange(count, dtype=np.uint64)
    tagged.sort()  # keys are unique, so any sort gives the same order
    return (tagged & np.uint64(0xFFFFFFFF)).astype(np.int64)
