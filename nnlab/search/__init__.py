"""Searching for good settings: where to look next, and which trials to stop early."""
