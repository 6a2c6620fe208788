"""What pages cost the server, by the number of runs that they are about; see `poe bench-pages`."""

from __future__ import annotations
