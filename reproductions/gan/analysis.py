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
from reproductions.suite.results.claims import Claim
from reproductions.suite.results.illustration import NAME, read_illustration
from reproductions.suite.results.records import Record
from reproductions.suite.study.inputs import InputError

_scores = partial(Claim, domain="gan", unit="Inception score")
_falls = partial(
    _scores, experiment="gan", weights={"pbt": 1}, statistic="share", unit="rank correlation with steps", side="below"
)

#: Tests, thresholds and seeds (``config/config.yaml``) were fixed before the runs.
CLAIMS = (
    _scores(
        text="PBT's GAN scores higher than random search's at equal compute",
        paper="not measured in the paper",
        mark=None,
        experiment="gan",
        weights={"pbt": 1, "random_search": -1},
    ),
    _scores(
        text="PBT's GAN scores higher than that of random search over schedules at equal compute",
        paper="not measured in the paper",
        mark=None,
        experiment="gan",
        weights={"pbt": 1, "random_schedules": -1},
    ),
    _scores(
        text="PBT's GAN scores higher than one of hand-made annealing at equal compute",
        paper="6.38 to 6.80",
        mark="medium",
        experiment="gan",
        weights={"pbt": 1, "hand_tuned": -1},
    ),
    _scores(
        text="A population of 6 is worse than one of 12",
        paper="10 or fewer are noisy and poor",
        mark="medium",
        experiment="gan_population_size",
        weights={"pbt": 1, "pbt (population-6)": -1},
    ),
    _scores(
        text="From 12 to 24 members less is gained than from 6 to 12",
        paper="20 to 40 are enough, more brings less and less",
        mark="medium",
        experiment="gan_population_size",
        weights={"pbt": 2, "pbt (population-6)": -1, "pbt (population-24)": -1},
    ),
    _scores(
        text="Truncation selection is better than the mean of T-test and tournament",
        paper="6.77 of the tournament to 6.80; truncation is the robust exploiter",
        mark="medium",
        experiment="gan_exploiters",
        weights={"pbt": 1, "pbt_t_test": -0.5, "pbt_tournament": -0.5},
    ),
    _scores(
        text="Copying weights and hyperparameters is better than weights alone",
        paper="both is best",
        mark="medium",
        experiment="gan_copied",
        weights={"pbt": 1, "weights_only": -1},
    ),
    _scores(
        text="Copying weights and hyperparameters is better than hyperparameters alone",
        paper="both is best",
        mark="medium",
        experiment="gan_copied",
        weights={"pbt": 1, "hyperparameters_only": -1},
    ),
    _scores(
        text="Copied weights alone, hyperparameters fixed, bring more than random search",
        paper="copying only weights helps a little",
        mark="medium",
        experiment="gan_copied",
        weights={"weights_only": 1, "random_search": -1},
    ),
    _scores(
        text="Training anew on the schedule found is better than with its last values held",
        paper="the last values held are worse than the schedule",
        mark="recall",
        experiment="gan_adaptivity",
        weights={"replay": 1, "replay (final)": -1},
    ),
    _scores(
        text="The order of the schedule counts: shuffled, it is worse",
        paper="not measured in the paper",
        mark=None,
        experiment="gan_adaptivity",
        weights={"replay": 1, "replay (shuffled)": -1},
    ),
    _scores(
        text="The schedule alone, trained anew, brings more than random search",
        paper="not measured in the paper",
        mark=None,
        experiment="gan_adaptivity",
        weights={"replay": 1, "random_search": -1},
    ),
    _scores(
        text="Beside the schedule the chosen weights count: PBT's own score higher than its schedule trained anew",
        paper="not measured in the paper",
        mark=None,
        experiment="gan_adaptivity",
        weights={"pbt": 1, "replay": -1},
    ),
    _falls(
        text="The discriminator's learning rate falls along the lineage of the best",
        paper="schedules found resemble hand-made ones",
        mark="medium",
        column="trends.lr_d",
    ),
    _falls(
        text="The generator's learning rate falls along the lineage of the best",
        paper="schedules found resemble hand-made ones",
        mark="medium",
        column="trends.lr_g",
    ),
    _falls(
        text="The two rates part: the discriminator's falls against the generator's",
        paper="not known: in which direction",
        mark=None,
        column="trends.lr_d/lr_g",
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
        statistic="share",
        unit="founders",
        side="at most",
        threshold=1,
    ),
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
