"""The cupy tier against its peers on the same GPU. Written without one at hand: expect to mend it."""

from __future__ import annotations
