"""Real processes: broker, worker, scheduler, web server and databases, as a user would run them."""

from __future__ import annotations
