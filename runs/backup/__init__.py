"""Backup and restore of a whole installation: one file that holds every row and every uploaded data file.

A backup is logical: rows as values, not pages of a database. So one made of SQLite can be restored into
PostgreSQL and the other way round, and no program of the database's version is needed for either.
"""

from __future__ import annotations

from runs.backup.archive import BackupError, Manifest
from runs.backup.restoring import examine, restore
from runs.backup.saving import save

__all__ = ["BackupError", "Manifest", "examine", "restore", "save"]
