"""Shared by all tests: how property tests look for examples.

They have no deadline, for a busy machine is no defect. The suite tries the same examples everywhere, so that
it says of a change whether that change is well; ``poe explore`` looks for new ones.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", unhurried, derandomize=True)
settings.register_profile("explore", unhurried, max_examples=500, print_blob=True)
settings.load_profile("same")
