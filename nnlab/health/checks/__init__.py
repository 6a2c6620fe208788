"""The checks: one small pure function each, from signals to a result."""
