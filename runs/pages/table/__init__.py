"""The page of a project: its runs as a table, in groups, as a file, and what is done with those ticked."""
