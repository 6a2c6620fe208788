"""Tests of nnlab.stats."""
