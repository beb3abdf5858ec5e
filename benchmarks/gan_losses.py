"""Which loss, number of discriminator steps and batch learn most per CPU second on Fashion-MNIST?

    python benchmarks/gan_losses.py --data DIR --marks 15 30 60 --processes 2

One thread a process. Each line is one training run: CPU seconds of training are counted, evaluations are not.
The score is the Inception score of the cached classifier on 2,000 samples; a second evaluation with fresh
noise shows its spread.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from reproductions.gan import classifier, data, metrics, networks

LOSSES: dict[str, tuple[networks.Loss, int]] = {
    "wgan_gp K=5": ("wgan_gp", 5),
    "wgan_gp K=1": ("wgan_gp", 1),
    "bce K=1": ("bce", 1),
}
# Learning rates of the discriminator and of the generator.
RATES = [(2e-4, 2e-4), (1e-3, 1e-3), (1e-4, 1e-3), (5e-3, 5e-3), (5e-4, 2e-4)]
SAMPLES = 2000


@dataclass(frozen=True)
class Trial:
    root: Path
    loss: str
    rates: tuple[float, float]
    batch: int
    width: int
    seed: int
    marks: tuple[float, ...]


def run(trial: Trial) -> str:
    """Train one network and return its line of the table."""
    torch.set_num_threads(1)
    dataset = data.load("fashion_mnist", trial.root)
    judge = classifier.load_or_train(dataset, trial.root / "classifier")
    reference = metrics.statistics(judge.features(data.scaled(dataset.test_images)))
    rng = torch.Generator().manual_seed(trial.seed)
    size, channels = dataset.train_images.shape[-1], dataset.train_images.shape[1]
    state = networks.initialise(rng, size, channels, trial.width)
    loss, d_steps = LOSSES[trial.loss]
    spent, steps, scores, gaps = 0.0, 0, [], []
    for mark in trial.marks:
        while spent < mark:
            start = time.process_time()
            networks.train_steps(state, dataset.train_images, *trial.rates, 20, rng, loss, d_steps, trial.batch)
            spent += time.process_time() - start
            steps += 20
        twice = [judge.outputs(networks.sample(state.generator, SAMPLES, rng)) for _ in range(2)]
        first, second = (metrics.inception_score(logits, 0)[0] for logits, _ in twice)
        gaps.append(abs(first - second))
        scores.append(f"{first:5.2f} {metrics.fid(twice[0][1], reference):6.1f}")
    lr_d, lr_g = trial.rates
    return (
        f"{trial.loss:11s} {lr_d:.0e} {lr_g:.0e} {trial.batch:5d} {trial.width:5d} {trial.seed:4d} "
        f"{1e3 * spent / steps:7.1f} {steps:6d}  {'  '.join(scores)}  {sum(gaps) / len(gaps):.3f}"
    )


def evaluation_cost(root: Path, width: int, repeats: int = 10) -> str:
    """CPU seconds of an evaluation, and the spread of one generator's score over fresh noise."""
    torch.set_num_threads(1)
    dataset = data.load("fashion_mnist", root)
    judge = classifier.load_or_train(dataset, root / "classifier")
    reference = metrics.statistics(judge.features(data.scaled(dataset.test_images)))
    rng = torch.Generator().manual_seed(0)
    state = networks.initialise(rng, dataset.train_images.shape[-1], dataset.train_images.shape[1], width)
    networks.train_steps(state, dataset.train_images, 1e-3, 1e-3, 1000, rng, "bce", 1, 32)
    lines = []
    for count in (1000, 2000, 5000):
        scores, start = [], time.process_time()
        for _ in range(repeats):
            logits, features = judge.outputs(networks.sample(state.generator, count, rng))
            scores.append(metrics.inception_score(logits, 0)[0])
        inner = (time.process_time() - start) / repeats
        start = time.process_time()
        for _ in range(repeats):
            metrics.fid(features, reference)
        outer = (time.process_time() - start) / repeats
        spread = torch.tensor(scores).std().item()
        lines.append(
            f"evaluation of {count} samples: {inner:.2f} CPU s + FID {outer:.2f} CPU s; "
            f"IS {sum(scores) / repeats:.2f}, std over fresh noise {spread:.3f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the cost of an evaluation, then the table, a line as soon as its run is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="where the data set is or is fetched to")
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--rates", nargs="+", default=[f"{d:g},{g:g}" for d, g in RATES], metavar="LR_D,LR_G")
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 64])
    parser.add_argument("--widths", nargs="+", type=int, default=[16])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--marks", nargs="+", type=float, default=[15, 30, 60, 100], help="CPU seconds of training")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    rates = [(float(pair.split(",")[0]), float(pair.split(",")[1])) for pair in arguments.rates]
    grid = itertools.product(arguments.seeds, arguments.batches, arguments.widths, rates, arguments.losses)
    trials = [
        Trial(arguments.data, loss, pair, batch, width, seed, tuple(arguments.marks))
        for seed, batch, width, pair, loss in grid
    ]
    print(evaluation_cost(arguments.data, arguments.widths[0]), flush=True)
    marks = "  ".join(f"IS FID@{mark:3.0f}s" for mark in arguments.marks)
    print(f"{'loss':11s} {'lr_D':5s} {'lr_G':5s} batch width seed ms/step  steps  {marks}  |IS-IS'|", flush=True)
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for line in pool.imap(run, trials):
            print(line, flush=True)


if __name__ == "__main__":
    main()
