"""The contenders, one module a library."""

from __future__ import annotations
