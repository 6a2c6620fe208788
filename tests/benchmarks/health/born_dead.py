"""The whole table of born-dead networks: python -m tests.benchmarks.health.born_dead."""

from __future__ import annotations

from tests.health.born_dead_cells import CELLS, dead_share

NETS = 4000


def main() -> None:
    """Print each cell with its reference, and how much of its tolerance it takes."""
    print("| N, L | upper | lower (d=1) | d | reference | measured | of the tolerance |")
    print("|---|---|---|---|---|---|---|")
    for cell in CELLS:
        for inputs, reference in cell.shares.items():
            share = dead_share(cell, inputs, NETS)
            used = abs(share - reference) / cell.tolerance(inputs, NETS)
            print(
                f"| {cell.width}, {cell.layers} | {cell.bound:.4f} | {cell.exact_lower:.4f} | {inputs}"
                f" | {reference:.4f} | {share:.4f} | {used:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
