"""What each figure shows, in a sentence: for the report and the page that lists them."""

from __future__ import annotations

from collections.abc import Mapping

from reproductions.suite.figures.look import pretty

#: By the name of a figure without what follows it: the problem, or the domain.
CAPTIONS: Mapping[str, str] = {
    "gains": "What PBT gains over each baseline at equal compute: mean over paired seeds with Student's 95 % interval. Grey: "
    "less than the smallest relevant difference.",
    "figure1": "Three ways to search, from real runs (the paper's figure 1). Arrows: copied weights; colour: the score.",
    "figure2": "The toy problem (the paper's figure 2): both workers' courses over the objective, and its value over steps.",
    "figure3": "PBT and its baselines (the paper's figure 3): reported scores of the final best members, human-normalised or "
    "in per cent of random search's mean.",
    "figure5": "The ablations (the paper's figure 5): reported scores by population size, exploiter, what is copied, and what "
    "is left of a schedule when fresh weights are trained on it.",
    "population_size": "Reported scores against the size of the population, everything else alike.",
    "truncation_fraction": "Reported scores against the share of the population that truncation replaces.",
    "ready_interval": "Reported scores against the steps between two chances to copy.",
    "stragglers": "Simulated clusters: time and score by how members wait for each other, with Student's 95 % interval.",
    "scores": "Reported scores of the final best members: a dot a seed, the mean with its 95 % bootstrap interval.",
    "human_normalised": "Reported scores in per cent of the way from random play to people, by problem and over all.",
    "best_so_far": "The score held out during training by the member that was best until then, against the steps of all "
    "members and against those of one, which are time if each has a worker.",
    "performance_profile": "The share of runs whose reported score is above tau, against tau: a curve further right and above "
    "is better (Agarwal et al., 2021).",
    "improvement": "The probability that a run of PBT reports a higher score than one of each other method (ibid.).",
    "population": "Every member of the first seed: scores and hyperparameters against steps (the paper's figures 4 and 8). "
    "Coloured: the lineage of the final best weights.",
    "trainings": "As population, for searches whose members train for other lengths: one setting after another.",
    "schedules": "The hyperparameters that the final best weights were trained with, a line a seed, and their median.",
    "lineages": "The hyperparameters along the lineages of all final members, which join where they have an ancestor in common "
    "(the paper's figure 6).",
    "tree": "The family tree of a population: who copied whom, coloured by score (the paper's figure 7).",
    "samples": "The first 36 images of each method's generator, unselected, first seed (the paper's figure 9).",
    "first_person": "What the agent sees along an episode of the level, and what it does.",
    "spatial_policy": "Where on the map the agent clicks, in a few states of one game.",
}


def described(figure: str) -> tuple[str, str]:
    """The title of a figure by its name, such as ``scores_ms_pacman``, and the sentence that says what it shows."""
    known = max((name for name in CAPTIONS if f"{figure}_".startswith(f"{name}_")), key=len, default="")
    if not known:
        return pretty(figure), ""
    of = pretty(figure.removeprefix(known).removeprefix("_"))
    return pretty(known) + (f", {of}" if of else ""), CAPTIONS[known]
