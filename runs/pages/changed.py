"""What differs between two runs, for the head of pages that show one or two."""

from __future__ import annotations

from runs.models import Run
from runs.pages.comparing.comparison import Comparison
from runs.pages.run.deltas import reference
from runs.reading.knobs import Changed, changed_between


def changed_from_reference(run: Run) -> Changed | None:
    """Say what differs from the run that this one is measured against; None where there is none."""
    other = reference(run)
    return changed_between(other, run) if other else None


def changed_among(comparison: Comparison) -> Changed | None:
    """Say what differs between two configurations, of runs with the same seed where there are such.

    None for any other number of configurations, and where two runs cannot be compared.
    """
    if len(comparison.groups) != 2:
        return None
    second, first = (
        {member.run.seed: member.run.pk for member in group.members} for group in comparison.groups
    )
    seed = next((seed for seed in first if seed in second), None)
    pair = (first.get(seed, min(first.values())), second.get(seed, min(second.values())))
    found = Run.objects.only("name", "config", "source", "seed").in_bulk(pair)
    if len(found) < 2:  # purged meanwhile
        return None
    return changed_between(found[pair[0]], found[pair[1]])
