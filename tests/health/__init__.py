"""Tests of nnlab.health."""
