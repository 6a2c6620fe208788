"""The tests of nnlab, one folder for each part of the product and what it needs to run."""

from __future__ import annotations
