"""The figures of first-person levels, from events, and the claims that are tested on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reproductions.dmlab.sweep import CELL, MEASURE
from reproductions.suite.figures import plotting
from reproductions.suite.figures.illustrations import illustrations
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.domain_claims import DomainClaims
from reproductions.suite.results.illustration import read_illustration
from reproductions.suite.results.records import Record

_FIRST, _LATER = "2026-11-26T02:59", "2026-11-26T06:10"
_of = DomainClaims("dmlab", "points", margin_fixed=_LATER)

CLAIMS = (
    _of.beats(
        "random_search",
        "PBT plays better than random search at equal compute",
        _FIRST,
        ("93 % to 106 %, human-normalised", "medium"),
    ),
    _of.beats("random_schedules", "PBT plays better than random search over schedules at equal compute", _LATER),
    _of.beats("hand_tuned", "PBT plays better than hand-tuned settings at equal compute", _FIRST),
    _of.ablation("schedule alone", "2026-11-27T10:56", "dmlab_replay"),
    _of.trend(
        "unroll",
        "above",
        "The unroll length grows along the lineages of the best members",
        ("it does, in navigation", "recall"),
        "2026-11-26T12:43",
    ),
    _of.claim(
        "With auxiliary tasks PBT plays better than without",
        ("UNREAL's own paper: they speed learning up on all levels", "medium"),
        {"pbt": 1, "pbt (plain)": -1},
        _FIRST,
    ),
)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return plotting.of_domain(records, MEASURE, partial(illustrations, first_person=first_person))


def first_person(records: Sequence[Record]) -> Figure:
    """What each method's answer sees in an episode, a row a method; the bluer a cell, the more it expects it to change."""
    views = [read_illustration(record.folder, frames=4, steps=1, control=3) for record in records]
    figure, axes = plotting.panels(len(records), max(len(view["frames"]) for view in views), 1.3, 1.45)
    for row, record, view in zip(axes, records, views, strict=True):
        cells = _tinted(view["control"])
        for number, ax in enumerate(row):
            ax.set_axis_off()
            if number >= len(view["frames"]):
                continue
            frame = view["frames"][number]
            size = frame.shape[-1]
            ax.imshow(frame.transpose(1, 2, 0), extent=(0, size, size, 0))
            if len(cells):
                side = cells.shape[-2] * CELL
                margin = (size - side) // 2
                ax.imshow(cells[number], extent=(margin, margin + side, margin + side, margin))
                ax.set(xlim=(0, size), ylim=(size, 0))
            ax.text(
                0.5, -0.04, f"step {view['steps'][number]}", fontsize=6, ha="center", va="top", transform=ax.transAxes
            )
        row[0].set_title(f"{plotting.pretty(record.method)}, reported {record.reported():.1f}", fontsize=7, loc="left")
    about = "the bluer, the more change of pixels the agent expects there (Q of pixel control, from a view's least to its most)"
    figure.suptitle(f"Views of an episode, seed {records[0].seed};\n{about}", fontsize=8)
    return figure


def _tinted(control: NDArray[np.generic]) -> NDArray[np.float64]:
    """Pixel control as blue that hides more of a picture where Q is higher: [N, side, side] to RGBA, [N, side, side, 4]."""
    q = control.astype(np.float64)
    least, most = (bound(q, axis=(1, 2), keepdims=True) for bound in (np.min, np.max))
    shown = np.zeros((*q.shape, 4))
    shown[..., 1:3] = 0.8, 1.0
    shown[..., 3] = 0.7 * (q - least) / np.where(most > least, most - least, 1.0)
    return shown
