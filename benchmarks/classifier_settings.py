"""What the classifier's size and length were chosen by: does decay help, how bad are random draws, what does a step cost?

    python benchmarks/classifier_settings.py --data data

Laptop settings, one thread. Each line is the mean over seeds that no study uses, from 1000 on.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent))

from pbt_core import Stream
from reproductions.classifier.network import CLASSES
from reproductions.classifier.sweep import SCALES, SPACE
from reproductions.classifier.task import Classifier
from reproductions.suite.study.settings import resolve

STEPS, INTERVAL = SCALES["laptop"].steps, SCALES["laptop"].interval
SEEDS = range(1000, 1005)
DRAWS = 100
BASE = {"lr": 0.02, "one_minus_momentum": 0.1, "weight_decay": 1e-4, "dropout": 0.0}


def trained(task: Classifier, values: Mapping[str, Any], seed: int, decay: bool) -> float:
    """Reported accuracy after a training with constant values, or with a learning rate falling linearly to a fiftieth."""
    stream = Stream(seed)
    state = task.init(stream.child("init"), values)
    for step in range(0, STEPS, INTERVAL):
        lr = values["lr"] * (1 - 0.98 * step / STEPS if decay else 1)
        task.step(state, {**values, "lr": lr}, INTERVAL, stream.child("step", step))
    accuracy = task.evaluate(state, stream).held_out
    assert accuracy is not None
    return accuracy


def line(task: Classifier, decay: bool, **changes: float) -> str:
    """Mean and standard deviation over the seeds, of the base setting with ``changes``."""
    accuracies = [trained(task, {**BASE, **changes}, seed, decay) for seed in SEEDS]
    what = f"{'linear decay' if decay else 'constant':12s} " + ", ".join(f"{k} = {v:g}" for k, v in changes.items())
    return f"{what:50s} {np.mean(accuracies):6.2f} {np.std(accuracies, ddof=1):5.2f}"


def draws(task: Classifier) -> str:
    """How good settings from the prior are, held constant."""
    rng = Stream(1000, ("draws",)).generator()
    accuracies = [trained(task, SPACE.sample(rng), 1000 + i, decay=False) for i in range(DRAWS)]
    quantiles = np.nanquantile(accuracies, (0, 0.25, 0.5, 0.75, 0.9, 1))
    return f"{DRAWS} random draws: 0, 25, 50, 75, 90, 100 % quantiles " + ", ".join(f"{q:.1f}" for q in quantiles)


def cost(task: Classifier) -> str:
    """CPU time of a step, of the same with autograd and torch.optim.SGD, and of an evaluation."""
    state, values = task.init(Stream(1000), BASE), {**BASE, "dropout": 0.2}
    model = nn.Sequential(
        nn.Linear(state.inputs, task.hidden), nn.ReLU(), nn.Dropout(0.2), nn.Linear(task.hidden, CLASSES)
    )
    sgd = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4, fused=True)
    sets = task._sets()

    def autograd() -> None:
        for index in torch.randint(task.train, (500, task.batch)):
            sgd.zero_grad()
            nn.functional.cross_entropy(model(sets.images[index]), sets.labels[index]).backward()
            sgd.step()

    step = least(lambda: task.step(state, values, 500, Stream(1000))) / 500
    twin = least(autograd) / 500
    evaluation = least(lambda: task.evaluate(state, Stream(1000)))
    return f"a step {1e6 * step:.0f} us (autograd, torch.optim.SGD: {1e6 * twin:.0f}), an evaluation {1e3 * evaluation:.1f} ms"


def least(work: Callable[[], object]) -> float:
    """CPU seconds of the cheapest of ten calls."""
    taken = []
    for _ in range(10):
        before = time.process_time()
        work()
        taken.append(time.process_time() - before)
    return min(taken)


def main() -> None:
    """Print it all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    task = Classifier(data=str(parser.parse_args().data))
    task.prepare(resolve("classifier", "pbt").plan())
    torch.set_num_threads(1)
    print(f"{'reported accuracy, %':50s}   mean    sd", flush=True)
    for decay, lr in product((False, True), (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08)):
        print(line(task, decay, lr=lr), flush=True)
    for dropout in (0.1, 0.2, 0.4, 0.6):
        print(line(task, True, lr=0.04, dropout=dropout), flush=True)
    for weight_decay in (1e-3, 1e-2, 1e-1):
        print(line(task, True, lr=0.04, weight_decay=weight_decay), flush=True)
    for rest in (1.0, 0.3, 0.03, 0.01):
        print(line(task, True, lr=0.4 * rest, one_minus_momentum=rest), flush=True)
    print(draws(task))
    print(cost(task))


if __name__ == "__main__":
    main()
