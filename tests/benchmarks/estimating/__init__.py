"""How well costs are told before a submission, against what it then costs."""

from __future__ import annotations
