"""The GAN's figures, from events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from reproductions import plotting
from reproductions.gan.sweep import MEASURE
from reproductions.plotting import Figures
from reproductions.records import Record


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
