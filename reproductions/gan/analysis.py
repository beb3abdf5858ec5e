"""The GAN's figures, from events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reproductions.gan.sweep import MEASURE
from reproductions.suite.figures import plotting
from reproductions.suite.figures.illustrations import illustrations
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.domain_claims import DomainClaims
from reproductions.suite.results.illustration import NAME, read_illustration
from reproductions.suite.results.records import Record
from reproductions.suite.study.inputs import InputError
from reproductions.suite.study.sweep import Mark

_FIRST, _LATER, _SHARES = "2026-11-23T23:34", "2026-11-26T05:15", "2026-11-26T12:43"
_of = DomainClaims("gan", "Inception score", margin_fixed=_LATER)
_HAND_MADE: tuple[str, Mark] = ("schedules found resemble hand-made ones", "medium")

CLAIMS = (
    _of.beats("random_search", "PBT's GAN scores higher than random search's at equal compute", _FIRST),
    _of.beats(
        "random_schedules",
        "PBT's GAN scores higher than that of random search over schedules at equal compute",
        _LATER,
    ),
    _of.beats(
        "hand_tuned",
        "PBT's GAN scores higher than one of hand-made annealing at equal compute",
        _FIRST,
        ("6.38 to 6.80", "medium"),
    ),
    _of.claim(
        "A population of 6 is worse than one of 12",
        ("10 or fewer are noisy and poor", "medium"),
        {"pbt": 1, "pbt (population-6)": -1},
        _LATER,
        experiment="gan_population_size",
        budgets_differ=True,
    ),
    _of.claim(
        "From 12 to 24 members less is gained than from 6 to 12",
        ("20 to 40 are enough, more brings less and less", "medium"),
        {"pbt": 2, "pbt (population-6)": -1, "pbt (population-24)": -1},
        _LATER,
        experiment="gan_population_size",
        budgets_differ=True,
    ),
    _of.ablation(
        "truncation",
        _LATER,
        "gan_exploiters",
        ("6.77 of the tournament to 6.80; truncation is the robust exploiter", "medium"),
    ),
    _of.ablation("both against weights", _LATER, "gan_copied"),
    _of.ablation("both against hyperparameters", _LATER, "gan_copied"),
    _of.ablation("weights alone", _LATER, "gan_copied"),
    _of.ablation("schedule against final values", _LATER, "gan_adaptivity"),
    _of.ablation("order of the schedule", _LATER, "gan_adaptivity"),
    _of.ablation("schedule alone", _LATER, "gan_adaptivity"),
    _of.ablation("weights beside the schedule", _LATER, "gan_adaptivity"),
    _of.trend(
        "lr_d",
        "below",
        "The discriminator's learning rate falls along the lineage of the best",
        _HAND_MADE,
        _SHARES,
    ),
    _of.trend(
        "lr_g", "below", "The generator's learning rate falls along the lineage of the best", _HAND_MADE, _SHARES
    ),
    _of.trend(
        "lr_d/lr_g",
        "below",
        "The two rates part: the discriminator's falls against the generator's",
        ("not known: in which direction", None),
        _SHARES,
    ),
    _of.claim(
        "PBT costs no more than random search: one training's time on as many workers",
        ("a run takes as long as one training", "recall"),
        {"pbt": 1, "random_search": -1.1},
        _FIRST,
        column="cpu_s",
        unit="CPU s",
        side="at most",
    ),
    _of.one_founder(_SHARES),
)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return plotting.of_domain(records, MEASURE, partial(illustrations, samples=samples))


def samples(runs: Sequence[Record]) -> Figure:
    """Images of each run's final best generator, 36 as they came (the paper's figure 9)."""
    figure, axes = plotting.panels(1, len(runs), 2.6, 2.9)
    for ax, run in zip(axes[0], runs, strict=True):
        images = _images(run.folder)
        _, channels, height, width = images.shape
        sheet = images.reshape(6, 6, channels, height, width).transpose(0, 3, 1, 4, 2)
        ax.imshow(np.squeeze(sheet.reshape(6 * height, 6 * width, channels)), cmap="gray", vmin=0, vmax=255)
        ax.set_axis_off()
        final = run.summary["final"]
        reported, fid = run.reported(), final["metrics"].get("fid", float("nan"))
        ax.set_title(f"{plotting.pretty(run.method)}\nInception score {reported:.2f}, FID {fid:.1f}")
    figure.suptitle(f"Samples of the final best generator, not chosen; seed {runs[0].seed}", fontsize=9)
    return figure


def _images(folder: Path) -> NDArray[np.uint8]:
    """The first 36 samples: [36, channels, height, width]. InputError if there are none."""
    images = read_illustration(folder, samples=4)["samples"]
    if len(images) < 36 or images.shape[1] not in (1, 3) or images.dtype != np.uint8:
        shape = f"{images.dtype}{list(images.shape)}"
        raise InputError(f"{folder / NAME}: samples must be 36 or more images of 8 bits, not {shape}")
    return images[:36].astype(np.uint8)
