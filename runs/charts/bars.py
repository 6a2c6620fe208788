"""Small histograms: bars beside the numbers of a column, as SVG that the strict content policy allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 96, 24


def bars(counts: Sequence[int]) -> str:
    """Draw counts as bars from the left; every count above 0 is seen. Nothing to draw is an empty string.

    It is decoration beside numbers, so it is hidden from assistive technology. Only numbers enter the text.
    """
    greatest = max(counts, default=0)
    if greatest <= 0:
        return ""
    step = WIDTH / len(counts)
    heights = [max(1.5, count / greatest * HEIGHT) if count else 0.0 for count in counts]
    path = "".join(
        f"M{place * step:.1f} {HEIGHT}v-{height:.1f}h{max(step - 1, 1):.1f}v{height:.1f}z"
        for place, height in enumerate(heights)
        if height
    )
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg class="bars" {size} aria-hidden="true"><path d="{path}"/></svg>'
