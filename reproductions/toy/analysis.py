"""Figure 2 of the paper, from events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from reproductions.suite.figures.plotting import (
    PALETTE,
    Figures,
    best_so_far,
    by_problem,
    panels,
    pretty,
    score_comparison,
)
from reproductions.suite.results.claims import Claim
from reproductions.suite.results.records import Record, method_order
from reproductions.toy.sweep import MEASURE

CLAIMS = (
    Claim(
        text="PBT ends above grid search on the toy problem",
        paper="figure 2: PBT reaches 1.2, grid search stays at 0.4",
        mark="medium",
        domain="toy",
        experiment="toy",
        weights={"pbt": 1, "grid": -1},
        fixed="2026-11-23T23:34",
        margin_fixed="2026-11-26T05:15",
    ),
)

TITLES = {"pbt": "PBT", "explore_only": "Explore only", "exploit_only": "Exploit only", "grid": "Grid search"}
ORIGIN, OPTIMUM = (0.9, 0.9), 1.2


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return by_problem(records, _figures)


def _figures(records: Sequence[Record]) -> Figures:
    return {
        "figure2": partial(figure2, records),
        "scores": partial(score_comparison, records, MEASURE),
        "best_so_far": partial(best_so_far, records, MEASURE),
    }


def figure2(records: Sequence[Record]) -> Figure:
    """The four variants: above, each worker's way in theta-space; below, Q against steps. The first seed is shown."""
    runs = {record.method: record for record in reversed(records)}
    # The paper's four in its order; runs with a label of their own after them.
    shown = [
        *(name for name in TITLES if name in runs),
        *(name for name in method_order(records) if name not in TITLES),
    ]
    figure, axes = panels(2, len(shown), 2.5, 2.4, sharey="row")
    grid = np.linspace(-0.05, 1.0, 60)
    q = OPTIMUM - (grid[None, :] ** 2 + grid[:, None] ** 2)
    for column, name in enumerate(shown):
        above, below = axes[:, column]
        above.contour(grid, grid, q, levels=8, colors="0.8", linewidths=0.7, zorder=0)
        for member, curve in runs[name].evaluations.groupby("member"):
            style = {"color": PALETTE[int(str(member)) % len(PALETTE)], "label": f"worker {member}"}
            # Dots, not a line: a copy jumps.
            above.plot(curve["theta0"], curve["theta1"], ".", ms=3, **style)
            # Dashes let the other worker's line show through where both are equal.
            below.plot(curve["step"], curve["score"], lw=1.5, ls="--" if member else "-", **style)
        above.plot(*ORIGIN, marker="x", color="black", ms=6, ls="none", label="start")
        above.plot(0, 0, marker="*", color="black", ms=8, ls="none", label="optimum")
        below.axhline(OPTIMUM, color="black", lw=0.8, ls=":", label="maximum of Q")
        above.set(
            title=TITLES.get(name, pretty(name)), xlabel="theta 0", aspect="equal", xlim=(-0.08, 1), ylim=(-0.08, 1)
        )
        below.set(xlabel="training steps")
    axes[0, 0].set_ylabel("theta 1")
    axes[1, 0].set_ylabel("Q (hidden objective)")
    for row in (0, 1):
        axes[row, -1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure
