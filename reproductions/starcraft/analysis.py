"""The figures of the StarCraft II mini-games, from events, and the claims that are tested on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reproductions.starcraft.specification import FUNCTIONS
from reproductions.starcraft.sweep import MEASURE
from reproductions.suite.figures import plotting
from reproductions.suite.figures.illustrations import illustrations
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.domain_claims import NOT_MEASURED, DomainClaims
from reproductions.suite.results.illustration import read_illustration
from reproductions.suite.results.records import Record

_FIRST, _LATER = "2026-11-26T05:07", "2026-11-26T06:10"
_of = DomainClaims("starcraft", "% human-normalised", margin_fixed=_LATER)

CLAIMS = (
    _of.beats(
        "random_search", "PBT plays better than random search at equal compute", _FIRST, ("36 % to 39 %", "medium")
    ),
    _of.beats("random_schedules", "PBT plays better than random search over schedules at equal compute", _LATER),
    _of.beats("hand_tuned", "PBT plays better than hand-tuned settings at equal compute", _FIRST),
    _of.ablation("both against weights", _FIRST, paper=("both is best, on Atari and the GAN", "medium")),
    _of.ablation("schedule alone", "2026-11-27T10:56", "starcraft_replay"),
    _of.claim(
        "With the entropy cost as a second hyperparameter PBT plays better",
        NOT_MEASURED,
        {"pbt (entropy)": 1, "pbt": -1},
        _FIRST,
    ),
)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return plotting.of_domain(records, MEASURE, _plays)


def _plays(records: Sequence[Record]) -> Figures:
    """What our simulation shows of a mini-game; the game itself makes no pictures."""
    simulated = [record for record in records if not record.problem.startswith("sc2_")]
    return illustrations(simulated, spatial_policy=spatial_policy)


Array = NDArray[Any]
#: The colour of the spatial policy: no unit's, nor the ground's.
_HIGHLIGHT = (1.0, 0.85, 0.0)
_NAMES = {function.id: function.name for function in FUNCTIONS.values()}


def spatial_policy(records: Sequence[Record]) -> Figure:
    """What each method's answer plays in an episode, a row a method, with its spatial policy over the frames.

    The more yellow a cell, the likelier it is as a point of the screen, from no more than by chance to certain; named is the
    function that was called, and the cross marks the cell that it was given.
    """
    ranks = {"frames": 4, "spatial": 3, "functions": 1, "points": 2}
    views = [read_illustration(record.folder, **ranks) for record in records]
    columns = max(len(view["frames"]) for view in views)
    figure, axes = plotting.panels(len(records), columns, 1.6, 1.75)
    for row, record, view in zip(axes, records, views, strict=True):
        for number, ax in enumerate(row[: len(view["frames"])]):
            _frame(ax, *(view[name][number] for name in ranks))
        row[0].set_ylabel(f"{plotting.pretty(record.method)}\nreported {record.reported():.1f}", fontsize=6)
    name, seed = plotting.problem_name(records), records[0].seed
    title = (
        f"{name}, seed {seed}: an episode; yellow: where the policy points; cross: the cell that the function was given"
    )
    figure.suptitle(title, fontsize=9)
    return figure


def _frame(ax: Axes, frame: Array, spatial: Array, function: Array, point: Array) -> None:
    """One picture with the cells over it that are likelier than by chance: the more opaque, the nearer to certain."""
    size = spatial.shape[-1]
    ax.imshow(frame, extent=(0, size, size, 0))
    likelier = np.log(np.maximum(spatial * spatial.size, 1)) / np.log(spatial.size)
    coloured = np.broadcast_to([*_HIGHLIGHT, 0.0], (size, size, 4)).copy()
    coloured[..., 3] = 0.85 * np.sqrt(likelier)
    ax.imshow(coloured, extent=(0, size, size, 0))
    if point.min() >= 0:
        ax.plot(*(point + 0.5), marker="x", color="black", markersize=4, mew=1)
    ax.set_xlim(0, size)
    ax.set_ylim(size, 0)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(_NAMES[int(function)].removesuffix("_screen").replace("_", " "), fontsize=6)
