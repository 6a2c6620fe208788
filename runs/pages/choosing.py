"""What a metric may choose: nothing, where it was measured on the test rows."""

from __future__ import annotations

from runs.pages.formats import metric_title


def choosing_caution(metric: str, done: str) -> str:
    """Warn of choosing by a metric of the test rows; empty for any other metric.

    Args:
        done: what is done by the metric, such as "Runs are sorted".
    """
    if not metric.startswith("test_"):
        return ""
    return (
        f"{done} by {metric_title(metric)}, of the test rows: whoever chooses by them has no honest"
        " estimate left. Choose by a validation metric, and look at the test of what was chosen, once."
    )
