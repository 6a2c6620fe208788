"""Tests of nnlab.data."""
