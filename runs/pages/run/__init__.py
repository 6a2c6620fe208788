"""The page of a run: one module a tab, and what its tabs share."""
