"""What the database's absence looks like, from whichever place in Django it is noticed."""

from __future__ import annotations

from django.db import InterfaceError, InternalError, OperationalError

# The last is what PostgreSQL says to a client that was silent for too long in the middle of a transaction.
AWAY = (OperationalError, InterfaceError, InternalError)
