"""The Django app, against a real database."""
