"""Sparklines: a word-sized line of a series, as SVG that the strict content policy allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

WIDTH, HEIGHT, INSET = 96, 20, 2


def sparkline(values: ArrayLike) -> str:
    """Draw values as a small line that breaks where they are not finite; nothing to draw is an empty string.

    The style sheet gives its colours (class ``sparkline``); it is decoration beside a number, so it is hidden
    from assistive technology. Only numbers enter the text, so it is safe to mark as such.

    Shapes: values (n,).
    """
    array = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(array)
    if finite.sum() < 2:
        return ""
    low, high = float(array[finite].min()), float(array[finite].max())
    span = (high - low) or 1.0
    x = np.linspace(INSET, WIDTH - INSET, array.size)
    y = HEIGHT - INSET - (array - low) / span * (HEIGHT - 2 * INSET)
    path, pen_down = [], False
    for index in range(array.size):
        if finite[index]:
            path.append(f"{'L' if pen_down else 'M'}{x[index]:.1f} {y[index]:.1f}")
        pen_down = bool(finite[index])
    last = np.flatnonzero(finite)[-1]
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return (
        f'<svg class="sparkline" {size} aria-hidden="true">'
        f'<path d="{"".join(path)}"/><circle cx="{x[last]:.1f}" cy="{y[last]:.1f}" r="2"/></svg>'
    )
