"""The fake device: it refuses what would wait on a real one, or it would prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.engine.fake_device import FakeBackend, HostCopyError

HOST = np.ones(3)
READINGS: dict[str, Callable[[Any], Any]] = {
    "an array": np.asarray,
    "a number": float,
    "a whole number": int,
    "a truth": bool,
    "its items": list,
    "an item": lambda array: array.item(),
    "an index": lambda array: HOST[array],
    "a sum with the host": lambda array: array + HOST,
    "a sum of the host's": lambda array: HOST + array,
    "a place for the host's": lambda array: array.__setitem__(slice(None), HOST),
    "NumPy's own functions": np.exp,
}


@pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS.keys())
def test_nothing_reads_the_device_but_a_download(reading: Callable[[Any], Any]) -> None:
    backend = FakeBackend()
    array = backend.upload(np.ones(3))
    with pytest.raises((HostCopyError, TypeError)):
        reading(array)
    assert backend.download(array).tolist() == [1.0, 1.0, 1.0]
    assert (backend.uploads, backend.downloads) == (1, 1)


def test_functions_of_the_host_are_refused_on_the_device() -> None:
    xp = FakeBackend().xp
    with pytest.raises(HostCopyError, match="of the host"):
        xp.exp(HOST)
    with pytest.raises(AttributeError, match="nonzero"):
        xp.nonzero(xp.ones(3))
