"""The one error of this package."""

from __future__ import annotations


class SeriesError(ValueError):
    """A series, a window or a stored chunk that is not what it has to be."""
