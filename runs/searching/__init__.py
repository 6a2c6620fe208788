"""Searches while they go on: what their trials have found, and which come next."""
