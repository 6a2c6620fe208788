"""Check 7: units that do next to nothing compared with the rest of their layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals
from nnlab.health.wording import layer_listing

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where half of the units of a layer are dormant, three quarters of a narrow one; only shown."""
    evaluation = signals.evaluation
    if evaluation is None or evaluation.dormant_share is None or signals.step < signals.t_min:
        return UNKNOWN
    shares = evaluation.dormant_share.tolist()
    known = [share for share in shares if not math.isnan(share)]
    if not known:
        return UNKNOWN
    layers = tuple(
        layer
        for layer, (share, width) in enumerate(zip(shares, signals.info.widths[:-1], strict=True))
        if share >= limits["open_narrow" if width < limits["narrow"] else "open"]
    )
    worst = max(known)
    if layers:
        return Result(Verdict.HIT, max(shares[layer] for layer in layers), limits["open"], layers)
    return Result(Verdict.SAFE if worst < limits["clear"] else Verdict.NEUTRAL, worst, limits["open"])


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say how much of the layer is idle, and that this need not hurt."""
    names = layer_listing(signals.info, result.layers)
    evaluation = signals.evaluation
    dormant = None if evaluation is None else evaluation.dormant_share
    return Explanation(
        title=f"Dormant units: {result.value:.0%} of the units of {names} do next to nothing",
        cause=(
            "Their outputs are less than 1/40 of what is usual in their layer, so the layers above hardly"
            " hear them. The network may be larger than its task needs, or it has lost some of its ability to"
            " learn."
            " While it learns well, this is harmless."
        ),
        formula=(
            "a unit is dormant if its mean activity is <= 1/40 of the layer's mean; dormant units / units >="
            f" {limits['open']:.0%} ({limits['open_narrow']:.0%} in layers of fewer than"
            f" {limits['narrow']:.0f} units) in {limits['n_open']:.0f} evaluations in a row"
        ),
        numbers={"dormant_share": [] if dormant is None else dormant.tolist()},
    )


CHECK = Check(
    id="dormant",
    readings=frozenset({Reading.EVALUATION}),
    judge=judge,
    explain=explain,
    severity=Severity.INFO,
    stuck_severity=Severity.INFO,
)
