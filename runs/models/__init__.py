"""One module per noun; imported here so that Django finds every model."""

from __future__ import annotations

from runs.models.access import ApiToken
from runs.models.alerts import Alert
from runs.models.metrics import Chunk, Series
from runs.models.projects import Project
from runs.models.runs import ACTIVE, OVER, Run, Status
from runs.models.sweeps import Sweep

__all__ = ["ACTIVE", "OVER", "Alert", "ApiToken", "Chunk", "Project", "Run", "Series", "Status", "Sweep"]
