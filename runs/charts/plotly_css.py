"""Write plotly.css: the rules that plotly.js would inject, which the content policy forbids, as a file.

Run it after an upgrade of the vendored bundle: ``python -m runs.charts.plotly_css``.
"""

from __future__ import annotations

import re
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "static" / "runs"
BUNDLE = STATIC / "vendor" / "plotly-cartesian-4.1.1.min.js"
SHEET = STATIC / "plotly.css"

# The table is an object literal: selectors, of which X stands for a plot and Y for a notice, to declarations.
_TABLE = re.compile(r'=\{("X,X div":.*?)\};for\(')
_STRING = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''
_RULE = re.compile(rf"({_STRING}|[A-Z]):({_STRING})(?:,|$)")

HEAD = "/* Made by `python -m runs.charts.plotly_css` from {bundle}; MIT, vendor/LICENSE-plotly. */"
# A second safety beside the policy's hash: without it the cells of a heat map blur into each other.
CRISP = ".js-plotly-plot .heatmaplayer .hm image{image-rendering:pixelated}"


def rules(bundle: str) -> list[tuple[str, str]]:
    """Read the rules out of the bundle, in the order in which they cascade.

    plotly.js puts each rule before the ones it has put already, so the order is the reverse of the table's.
    Removing an element's focus outline is not taken over.

    Raises:
        ValueError: if the table is not where it is expected, or is not wholly understood.
    """
    found = _TABLE.search(bundle)
    if found is None:
        raise ValueError("expected the bundle to hold a table of style rules; look how it injects them now")
    pairs = _RULE.findall(found[1])
    if sum(len(key) + len(value) + 2 for key, value in pairs) != len(found[1]) + 1:
        raise ValueError(
            "expected the table to hold nothing but selectors and declarations, got something else"
        )
    plain = [(_selector(_unquoted(key)), _without_outline(_unquoted(value))) for key, value in pairs]
    return [(selector, body) for selector, body in reversed(plain) if body]


def sheet(bundle: str, name: str) -> str:
    """Write the rules as a style sheet in the layer ``plotly``."""
    lines = [f"{selector}{{{body}}}" for selector, body in rules(bundle)]
    return "\n".join([HEAD.format(bundle=name), "@layer plotly{", *lines, CRISP, "}", ""])


def _unquoted(text: str) -> str:
    return text[1:-1] if text[0] in "\"'" else text


def _selector(text: str) -> str:
    return text.replace("X", ".js-plotly-plot .plotly").replace("Y", ".plotly-notifier")


def _without_outline(body: str) -> str:
    return body.replace("outline:none;", "")


if __name__ == "__main__":
    SHEET.write_text(sheet(BUNDLE.read_text(encoding="utf-8"), BUNDLE.name), encoding="utf-8")
