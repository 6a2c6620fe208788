"""Every change of a run's status.

Each function is one conditional UPDATE. It returns False, None or 0, and changes nothing, where the run was
not in a state that allows the change: another process got there first. A worker's changes carry the fencing
token of its claim: once the run was given to somebody else, the token no longer fits.

Where a change begins or ends an attempt, the same transaction writes that into the run's history.
"""

from __future__ import annotations

from runs.lifecycle.claiming import HEARTBEAT, LEASE, Claims, Wish, beat, claim, claim_first, wishes
from runs.lifecycle.controlling import (
    cancel,
    cancel_all,
    pause,
    pause_all,
    requeue,
    requeue_all,
    resume,
    resume_all,
)
from runs.lifecycle.ending import fail, finish, hold, stop
from runs.lifecycle.losing import (
    MAX_ATTEMPTS,
    give_back,
    hand_back,
    mark_lost,
    release,
    settle_lost,
    surrender,
)
from runs.lifecycle.ordering import end_of_queue, move, move_all, prioritise
from runs.lifecycle.outside import OUTSIDE_LEASE, end_outside, hear, held_outside, resume_outside

__all__ = [
    "HEARTBEAT",
    "LEASE",
    "MAX_ATTEMPTS",
    "OUTSIDE_LEASE",
    "Claims",
    "Wish",
    "beat",
    "cancel",
    "cancel_all",
    "claim",
    "claim_first",
    "end_of_queue",
    "end_outside",
    "fail",
    "finish",
    "give_back",
    "hand_back",
    "hear",
    "held_outside",
    "hold",
    "mark_lost",
    "move",
    "move_all",
    "pause",
    "pause_all",
    "prioritise",
    "release",
    "requeue",
    "requeue_all",
    "resume",
    "resume_all",
    "resume_outside",
    "settle_lost",
    "stop",
    "surrender",
    "wishes",
]
