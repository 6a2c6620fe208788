"""One module per noun; imported here so that Django finds every model."""

from __future__ import annotations

from runs.models.access import ApiToken
from runs.models.alerts import Alert, Mute
from runs.models.allowances import Allowance
from runs.models.attempts import Attempt, Outcome
from runs.models.checkpoints import Checkpoint, CheckpointPart
from runs.models.datasets import DatasetPart, DatasetRecipe, DatasetVersion
from runs.models.fixes import Fix, FixPair
from runs.models.log_lines import Level, LogLine
from runs.models.metrics import Chunk, Journal, Ledger, Name, Pyramid, RunMetric, RunParam, Series, Writer
from runs.models.network_snapshots import NetworkSnapshot
from runs.models.notices import Channel, Notice, NoticeLine
from runs.models.projects import Project
from runs.models.questions import Question
from runs.models.runs import ACTIVE, OVER, Queue, QueuedRun, Run, Source, Status
from runs.models.searches import Mark, Rung, Search, Trial
from runs.models.speeds import Speed
from runs.models.sweeps import Sweep
from runs.models.tags import RunTag
from runs.models.tallies import Tally
from runs.models.traces import Trace
from runs.models.uploads import Upload, UploadPart
from runs.models.views import SavedView
from runs.models.workers import Release, Worker

__all__ = [
    "ACTIVE",
    "OVER",
    "Alert",
    "Allowance",
    "ApiToken",
    "Attempt",
    "Channel",
    "Checkpoint",
    "CheckpointPart",
    "Chunk",
    "DatasetPart",
    "DatasetRecipe",
    "DatasetVersion",
    "Fix",
    "FixPair",
    "Journal",
    "Ledger",
    "Level",
    "LogLine",
    "Mark",
    "Mute",
    "Name",
    "NetworkSnapshot",
    "Notice",
    "NoticeLine",
    "Outcome",
    "Project",
    "Pyramid",
    "Question",
    "Queue",
    "QueuedRun",
    "Release",
    "Run",
    "RunMetric",
    "RunParam",
    "RunTag",
    "Rung",
    "SavedView",
    "Search",
    "Series",
    "Source",
    "Speed",
    "Status",
    "Sweep",
    "Tally",
    "Trace",
    "Trial",
    "Upload",
    "UploadPart",
    "Worker",
    "Writer",
]
