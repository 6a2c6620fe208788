"""What the sentence under a chart of curves says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runs.charts.chart import plural, step_text, value_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runs.charts.curves import ReadLine


def curves_summary(
    read: Sequence[ReadLine], x_title: str, y_title: str, *, log_y: bool, percent: bool = False
) -> str:
    """Say how lines run, and what of them is not drawn.

    Args:
        percent: writes values, which are shares, in percent.
    """
    shown = [item for item in read if not item.line.faint and item.finite.any()]
    if len(shown) <= 3:
        sentences = [_course(item, x_title, percent=percent) for item in shown]
    else:
        last = sorted(((_end(item), item.line.name) for item in shown), key=lambda pair: pair[0])
        (low, lowest), (high, highest) = last[0], last[-1]
        ends = [value_text(end, percent=percent) for end in (low, high)]
        span = f"from {ends[0]} ({lowest}) to {ends[1]} ({highest})"
        sentences = [f"{len(shown)} lines of {y_title}; the last values reach {span}."]
    nonfinite = sum(int((~item.finite).sum()) for item in read if not item.line.faint)
    if nonfinite:
        sentences.append(f"{plural(nonfinite, 'value')} not finite.")
    hidden = sum(int((item.y[item.finite] <= 0).sum()) for item in read if not item.line.faint)
    if log_y and hidden:
        verb = "is" if hidden == 1 else "are"
        sentences.append(f"{plural(hidden, 'value')} at or below 0 {verb} not drawn on the log axis.")
    return " ".join(sentences)


def _end(item: ReadLine) -> float:
    return item.line.ends[1] if item.line.ends else float(item.y[item.finite][-1])


def _course(item: ReadLine, x_title: str, *, percent: bool) -> str:
    def text(value: float) -> str:
        return value_text(float(value), percent=percent)

    x, y = item.x[item.finite], item.y[item.finite]
    name = item.line.name[:1].upper() + item.line.name[1:]
    if y.size == 1:
        return f"{name} is {text(y[0])} at {x_title} {step_text(x[0])}."
    begin, end = item.line.ends or (float(y[0]), float(y[-1]))
    about = item.line.where
    first, last = text(begin), text(end)
    span = f"{x_title} {step_text(x[0])} and {step_text(x[-1])}"
    if begin == end:
        course = f"is {about}{first} at both {span}"
    else:
        course = f"{'fell' if end < begin else 'rose'} from {about}{first} to {about}{last} between {span}"
    low, high = int(np.argmin(y)), int(np.argmax(y))
    return (
        f"{name} {course};"
        f" lowest {text(y[low])} at {about}{step_text(x[low])},"
        f" highest {text(y[high])} at {about}{step_text(x[high])}."
    )
