"""Tests of nnlab.client."""
