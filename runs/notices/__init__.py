"""Notices: telling people of alerts by e-mail and webhook."""

from __future__ import annotations
