"""The figures of first-person levels, from events, and the claims that are tested on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import Figure

from reproductions.dmlab.sweep import CELL, MEASURE
from reproductions.suite.figures import plotting
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.claims import Claim
from reproductions.suite.results.illustration import read_illustration
from reproductions.suite.results.records import Record

_claim = partial(Claim, domain="dmlab", experiment="dmlab")

CLAIMS = (
    _claim(
        text="PBT plays better than random search at equal compute",
        paper="93 % to 106 %, human-normalised",
        mark="medium",
        weights={"pbt": 1, "random_search": -1},
        unit="points",
    ),
    _claim(
        text="PBT plays better than hand-tuned settings at equal compute",
        paper="not measured in the paper",
        mark=None,
        weights={"pbt": 1, "hand_tuned": -1},
        unit="points",
    ),
    _claim(
        text="The unroll length grows along the lineages of the best members",
        paper="it does, in navigation",
        mark="recall",
        weights={"pbt": 1},
        column="trends.unroll",
        unit="rank correlation with steps",
    ),
    _claim(
        text="With auxiliary tasks PBT plays better than without",
        paper="UNREAL's own paper: they speed learning up on all levels",
        mark="medium",
        weights={"pbt": 1, "pbt (plain)": -1},
        unit="points",
    ),
)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return plotting.by_problem(records, _figures)


def _figures(records: Sequence[Record]) -> Figures:
    figures = plotting.standard(records, MEASURE)
    shown = _illustrated(records)
    return {**figures, "first_person": partial(first_person, shown)} if shown else figures


def _illustrated(records: Sequence[Record]) -> list[Record]:
    """The runs of the first seed that have an answer to show."""
    seed = min(record.seed for record in records)
    return [record for record in records if record.seed == seed and record.summary["final"]]


def first_person(records: Sequence[Record]) -> Figure:
    """What each method's answer sees in an episode, a row a method; brighter cells: where it expects pictures to change."""
    views = [read_illustration(record.folder, frames=4, control=3) for record in records]
    columns = max(len(view["frames"]) for view in views)
    figure, axes = plotting.panels(len(records), columns, 1.3, 1.35)
    for row, record, view in zip(axes, records, views, strict=True):
        control = view["control"]
        for ax, frame, number in zip(row, view["frames"], range(columns), strict=False):
            size = frame.shape[-1]
            ax.imshow(frame.transpose(1, 2, 0), extent=(0, size, size, 0))
            if len(control):
                side = control.shape[-1] * CELL
                margin = (size - side) // 2
                edges = (margin, margin + side, margin + side, margin)
                ax.imshow(
                    control[number], extent=edges, cmap="inferno", alpha=0.35, vmin=control.min(), vmax=control.max()
                )
                ax.set_xlim(0, size)
                ax.set_ylim(size, 0)
            ax.set_xticks([])
            ax.set_yticks([])
        row[0].set_title(f"{plotting.pretty(record.method)}, reported {record.reported():.1f}", fontsize=7, loc="left")
    figure.suptitle(f"Views of an episode, and the grid of pixel control over them; seed {records[0].seed}", fontsize=9)
    return figure
