"""The one error of this package."""

from __future__ import annotations


class SearchError(ValueError):
    """A space, a rule or a plan that no search can be made of."""
