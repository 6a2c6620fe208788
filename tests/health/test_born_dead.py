"""Born-dead networks: initialiser, pass and probe give the published frequencies."""

from __future__ import annotations

import pytest

from nnlab.health.checks.born_dead import born_dead_bound
from tests.health.born_dead_cells import CELLS, Cell, dead_share

NETS = 4000
QUICK = [(CELLS[0], 1), (CELLS[1], 2), (CELLS[0], 10), (CELLS[4], 1)]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.width}-{cell.layers}")
def test_the_bounds_are_those_of_the_table(cell: Cell) -> None:
    exact = 1 - (1 - 2.0**-cell.width) ** (cell.layers - 1)
    assert cell.bound == pytest.approx(exact, abs=1e-12)
    assert cell.bound == pytest.approx(cell.upper, abs=5.1e-5)
    assert cell.exact_lower == pytest.approx(cell.lower, abs=5.1e-5)


@pytest.mark.parametrize(("widths", "bound"), [((), 0.0), ((5,), 1 / 32), ((2, 1), 1 - 0.75 * 0.5)])
def test_the_bound_takes_layers_of_any_widths(widths: tuple[int, ...], bound: float) -> None:
    assert born_dead_bound(widths) == pytest.approx(bound, abs=1e-12)


@pytest.mark.parametrize(("cell", "inputs"), QUICK, ids=lambda value: getattr(value, "width", value))
def test_as_many_networks_are_born_dead_as_published(cell: Cell, inputs: int) -> None:
    share, tolerance = dead_share(cell, inputs, NETS), cell.tolerance(inputs, NETS)
    assert abs(share - cell.shares[inputs]) <= tolerance
    assert share <= cell.bound + tolerance
    if inputs == 1:
        assert share >= cell.exact_lower - tolerance
