"""Metric series: chunk codec and windows of at most N points."""
