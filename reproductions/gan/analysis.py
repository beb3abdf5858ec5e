"""The GAN's figures, from events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from reproductions.claims import Claim
from reproductions.figures import plotting
from reproductions.figures.plotting import Figures
from reproductions.gan.sweep import MEASURE
from reproductions.records import Record

CLAIMS = (
    Claim(
        text="PBT's GAN scores higher than random search's at equal compute",
        paper="not measured in the paper",
        mark=None,
        domain="gan",
        experiment="gan",
        weights={"pbt": 1, "random_search": -1},
        unit="Inception score",
    ),
    Claim(
        text="PBT's GAN scores higher than one of hand-made annealing at equal compute",
        paper="6.38 to 6.80",
        mark="medium",
        domain="gan",
        experiment="gan",
        weights={"pbt": 1, "hand_tuned": -1},
        unit="Inception score",
    ),
    Claim(
        text="PBT costs no more than random search: one training's time on as many workers",
        paper="a run takes as long as one training",
        mark="recall",
        domain="gan",
        experiment="gan",
        weights={"pbt": 1, "random_search": -1.1},
        column="cpu_s",
        unit="CPU s",
        side="at most",
    ),
    Claim(
        text="All final members descend from one initial member",
        paper="they do",
        mark="recall",
        domain="gan",
        experiment="gan",
        weights={"pbt": 1},
        column="founders",
        unit="founders",
        side="at most",
        threshold=1,
    ),
)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return plotting.by_problem(records, _figures)


def _figures(records: Sequence[Record]) -> Figures:
    return {**plotting.standard(records, MEASURE), "samples": partial(samples, records)}


def samples(records: Sequence[Record]) -> Figure:
    """Images of each method's final best generator, 36 as they came, first seed (the paper's figure 9)."""
    seed = min(record.seed for record in records)
    runs = [record for record in records if record.seed == seed and record.summary["final"]]
    figure, axes = plotting.panels(1, len(runs), 2.6, 2.9)
    for ax, run in zip(axes[0], runs, strict=True):
        images = load_file(run.folder / "illustration.safetensors")["samples"][:36]
        _, channels, height, width = images.shape
        sheet = images.reshape(6, 6, channels, height, width).transpose(0, 3, 1, 4, 2)
        ax.imshow(np.squeeze(sheet.reshape(6 * height, 6 * width, channels)), cmap="gray", vmin=0, vmax=255)
        ax.set_axis_off()
        held_out, fid = run.summary["final"]["held_out"], run.summary["final"]["metrics"]["fid"]
        ax.set_title(f"{plotting.pretty(run.method)}\nInception score {held_out:.2f}, FID {fid:.1f}")
    figure.suptitle(f"Samples of the final best generator, not chosen; seed {seed}", fontsize=9)
    return figure
