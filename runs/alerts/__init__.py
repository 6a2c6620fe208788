"""What people do about alerts: acknowledge and mute them, follow their advice, and see whether it helped."""

from __future__ import annotations
