"""Whole installations whose parts are killed, frozen and restarted at random, and what must come of it."""
