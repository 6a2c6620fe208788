"""Words that several checks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.records import RunInfo


LONG_RUN = 4


def layer_listing(info: RunInfo, layers: Sequence[int]) -> str:
    """Name layers as a sentence does: hidden 1, hidden 2 and output; hidden 3 to hidden 9."""
    if len(layers) >= LONG_RUN and layers[-1] - layers[0] == len(layers) - 1:
        return f"{info.layer_name(layers[0])} to {info.layer_name(layers[-1])}"
    names = [info.layer_name(layer) for layer in layers]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
