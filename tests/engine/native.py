"""For tests of the native tier: skipped where it was not built, unless NNLAB_REQUIRE_NATIVE is set."""

from __future__ import annotations

import os

import pytest

from nnlab.engine.native import library

needs_native = pytest.mark.skipif(
    library.load() is None and not os.environ.get("NNLAB_REQUIRE_NATIVE"),
    reason=f"NOT TESTED: the native engine: {library.why_missing()}",
)

TIERS = ["numpy", pytest.param("native", marks=needs_native)]
