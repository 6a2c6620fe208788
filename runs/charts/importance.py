"""Shares of a metric's variance as horizontal bars with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from runs.charts.chart import Chart, Table, escaped, figure_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["knob", "pair", "rest"]
_NAMES: dict[Kind, str] = {"knob": "one setting", "pair": "two settings together", "rest": "no setting"}
_ROLES: dict[Kind, dict[str, Any]] = {
    "knob": {"role": "bar", "series": 0},
    "pair": {"role": "bar", "series": 1},
    "rest": {"role": "muted"},
}


@dataclass(frozen=True)
class ShareView:
    """A bar: what it is of, a share from 0 to 1, and its interval where it has one."""

    name: str
    kind: Kind
    share: float
    low: float | None = None
    high: float | None = None


def share_bars(key: str, title: str, shares: Sequence[ShareView], *, summary: str, caption: str) -> Chart:
    """Draw a bar for each share, the first on top; what belongs to no single setting or pair is grey."""
    places = {share.name: len(shares) - 1 - place for place, share in enumerate(shares)}
    kinds = [kind for kind in _NAMES if any(share.kind == kind for share in shares)]
    layout = {
        "xaxis": {
            "title": {"text": "share of the variance (%)"},
            "range": [0, _end(shares)],
            "fixedrange": True,
        },
        "yaxis": {
            "tickvals": list(places.values()),
            "ticktext": [escaped(name) for name in places],
            "range": [-0.6, len(shares) - 0.4],
            "ticklabelstandoff": 6,
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
            "title": {"text": ""},
        },
        "barmode": "overlay",
        "bargap": 0.4,
        "showlegend": False,
        "hovermode": "closest",
    }
    traces = [_bars(kind, [share for share in shares if share.kind == kind], places) for kind in kinds]
    return Chart(
        key=key,
        title=title,
        figure=figure_of(traces, layout),
        summary=summary,
        caption=caption,
        table=_table(shares),
        height="tall" if len(shares) > 8 else "normal",
    )


def _end(shares: Sequence[ShareView]) -> int:
    """Let the axis end a little beyond the longest bar, at a full ten percent."""
    longest = max((share.high or share.share for share in shares), default=1.0)
    return min(100, 10 * (int(10 * longest) + 1))


def percent_text(share: float) -> str:
    """Write a share in percent."""
    return "100 %" if share >= 0.9995 else f"{100 * share:.1f} %"


def _bars(kind: Kind, shares: Sequence[ShareView], places: dict[str, int]) -> dict[str, Any]:
    up = [None if share.high is None else 100 * (share.high - share.share) for share in shares]
    down = [None if share.low is None else 100 * (share.share - share.low) for share in shares]
    return {
        "type": "bar", "orientation": "h", "name": _NAMES[kind], "y": [places[one.name] for one in shares],
        "x": [100 * share.share for share in shares], "text": [_words(share) for share in shares],
        "textposition": "none", "hovertemplate": "%{text}<extra></extra>", "meta": _ROLES[kind],
        "error_x": {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "width": 5,
                    "thickness": 2, "visible": kind != "rest"},
    }  # fmt: skip


def _words(share: ShareView) -> str:
    text = f"{escaped(share.name)}: {percent_text(share.share)}"
    if share.low is None or share.high is None:
        return text
    return f"{text}<br>95 % interval {percent_text(share.low)} to {percent_text(share.high)}"


def _table(shares: Sequence[ShareView]) -> Table:
    rows = tuple(
        (
            share.name,
            _NAMES[share.kind],
            percent_text(share.share),
            "–" if share.low is None else percent_text(share.low),
            "–" if share.high is None else percent_text(share.high),
        )
        for share in shares
    )
    return Table(("setting", "part", "share", "95 % low", "95 % high"), rows)
