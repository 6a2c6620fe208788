"""Colours: contrast and separation, recomputed from tokens.css with the WCAG and CIE formulas."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

TOKENS = Path(__file__).resolve().parents[2] / "runs" / "static" / "runs" / "tokens.css"
PAIR = re.compile(r"--([\w-]+): light-dark\((#[0-9A-F]{6}), (#[0-9A-F]{6})\)")
THEMES = ["light", "dark"]
SERIES = [f"series-{number}" for number in range(1, 7)]

# The contrast on a card that the design asks for, to the digit; None where only the minimum is asked.
ON_CARD = {
    "text": (17.1, 14.6),
    "muted": (6.9, 7.3),
    "link": (6.7, 7.9),
    "ok": (6.6, 9.3),
    "warning": (6.3, 9.6),
    "critical": (6.5, 8.1),
    "control": (3.5, 3.8),
}

# Machado, Oliveira and Fernandes (2009), severity 1.0, for linear RGB.
VISION = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
SRGB_TO_XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]
WHITE = [0.95047, 1.0, 1.08883]

Vector = NDArray[np.float64]


def colours(theme: str) -> dict[str, Vector]:
    column = THEMES.index(theme) + 1
    return {found[0]: linear(found[column]) for found in PAIR.findall(TOKENS.read_text())}


def linear(hex_colour: str) -> Vector:
    parts = np.array([int(hex_colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one: Vector, other: Vector) -> float:
    light, dark = sorted((float(colour @ [0.2126, 0.7152, 0.0722]) for colour in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(colour: Vector) -> Vector:
    ratio = np.array(SRGB_TO_XYZ) @ np.clip(colour, 0, 1) / WHITE
    curve = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * curve[1] - 16, 500 * (curve[0] - curve[1]), 200 * (curve[1] - curve[2])])


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", ON_CARD)
def test_a_colour_has_the_contrast_that_was_designed(name: str, theme: str) -> None:
    palette = colours(theme)
    asked = ON_CARD[name][THEMES.index(theme)]
    assert contrast(palette[name], palette["card"]) == pytest.approx(asked, abs=0.051)


@pytest.mark.parametrize("theme", THEMES)
def test_text_is_readable_on_every_surface(theme: str) -> None:
    palette = colours(theme)
    for surface in ("card", "page", "sunken"):
        for name in ("text", "muted", "link", "ok", "warning", "critical"):
            assert contrast(palette[name], palette[surface]) >= 4.5, (name, surface)
    for filled in ("link", "critical"):
        assert contrast(palette["on-accent"], palette[filled]) >= 4.5, filled


@pytest.mark.parametrize("theme", THEMES)
def test_words_of_a_state_are_readable_on_their_own_tint(theme: str) -> None:
    palette = colours(theme)
    encoded = {
        name: np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)
        for name, v in palette.items()
    }
    for name in ("link", "ok", "warning", "critical"):
        tint = 0.09 * encoded[name] + 0.91 * encoded["card"]  # color-mix in srgb, as tokens.css has it
        tint = np.where(tint <= 0.04045, tint / 12.92, ((tint + 0.055) / 1.055) ** 2.4)
        for word in (name, "text", "muted"):
            assert contrast(palette[word], tint) >= 4.5, (word, name)


@pytest.mark.parametrize(("theme", "lowest"), [("light", 3.26), ("dark", 4.31)])
def test_every_line_stands_out_from_the_card(theme: str, lowest: float) -> None:
    palette = colours(theme)
    found = min(contrast(palette[name], palette["card"]) for name in SERIES)
    assert found == pytest.approx(lowest, abs=0.006)
    assert found >= 3


@pytest.mark.parametrize(("theme", "smallest"), [("light", 25), ("dark", 26)])
def test_lines_stay_apart_for_every_kind_of_colour_vision(theme: str, smallest: int) -> None:
    palette = colours(theme)
    found = min(
        float(np.linalg.norm(lab(np.array(matrix) @ palette[one]) - lab(np.array(matrix) @ palette[other])))
        for matrix in VISION.values()
        for one, other in combinations(SERIES, 2)
    )
    assert found == pytest.approx(smallest, abs=0.5)


def test_borders_of_controls_reach_three_to_one_on_the_page_too() -> None:
    for theme in THEMES:
        palette = colours(theme)
        assert contrast(palette["control"], palette["page"]) >= 3
