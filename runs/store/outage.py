"""What the database's absence looks like, from whichever place in Django it is noticed."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError

AWAY = (OperationalError, InterfaceError)
