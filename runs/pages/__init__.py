"""Pages: one module per page family. A view reads the request, calls one function and renders."""

from __future__ import annotations
