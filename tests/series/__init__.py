"""Tests of nnlab.series."""
