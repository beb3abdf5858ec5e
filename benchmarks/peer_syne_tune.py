"""The digits work of ``pbt_cost`` in Syne Tune's PBT on its local backend, two workers.

Run as a program it is one trial. Syne Tune starts a process for each trial and, since an exploit begins a new trial there,
for each clone too; the run ends when as many intervals were reported as the other contenders train.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from pathlib import Path


def run(directory: Path, population: int, intervals: int, interval: int, ready: int) -> None:
    """One PBT run; its files go to ``directory``."""
    os.environ["SYNETUNE_FOLDER"] = str(directory.absolute())
    logging.disable(logging.WARNING)
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.config_space import loguniform
    from syne_tune.optimizer.schedulers.pbt import PopulationBasedTraining

    space = {"lr": loguniform(1e-5, 1e-1), "weight_decay": loguniform(1e-5, 1.0)}
    scheduler = PopulationBasedTraining(
        {**space, "intervals": intervals, "interval": interval},
        metric="score",
        time_attr="round",
        max_t=intervals,
        do_minimize=False,
        random_seed=0,
        population_size=population,
        perturbation_interval=max(1, ready // interval),
        quantile_fraction=0.2,
    )
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        Tuner(
            trial_backend=LocalBackend(entry_point=__file__, rotate_gpus=False),
            scheduler=scheduler,
            stop_criterion=StoppingCriterion(max_num_evaluations=population * intervals),
            n_workers=2,
            sleep_time=0.1,
            results_update_interval=60,
            print_update_interval=1e9,
            save_tuner=False,
        ).run()


def trial() -> None:
    """Train from a checkpoint, if there is one, and report after each interval."""
    from syne_tune import Reporter

    parser = argparse.ArgumentParser()
    for name, kind in (("lr", float), ("weight_decay", float), ("intervals", int), ("interval", int)):
        parser.add_argument(f"--{name}", type=kind)
    parser.add_argument("--st_checkpoint_dir", type=Path)
    arguments, _ = parser.parse_known_args()
    root = Path(__file__).parent.parent
    sys.path[:0] = [str(root), str(root / "examples")]
    import torch
    from digits import Digits

    from pbt_core import Stream

    torch.set_num_threads(1)
    task, seed, report = Digits(), Stream(0), Reporter()
    hyperparameters = {"lr": arguments.lr, "weight_decay": arguments.weight_decay}
    state, begun = task.init(seed, hyperparameters), 0
    folder = arguments.st_checkpoint_dir
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "state.pt").exists():
            saved = torch.load(folder / "state.pt", weights_only=True)
            begun = saved["round"]
            for part, name in zip(state, ("model", "optimizer"), strict=True):
                part.load_state_dict(saved[name])
    for number in range(begun + 1, arguments.intervals + 1):
        state = task.step(state, hyperparameters, arguments.interval, seed.child(number))
        score = task.evaluate(state, seed.child(number)).value
        if folder is not None:
            parts = {"model": state[0].state_dict(), "optimizer": state[1].state_dict(), "round": number}
            torch.save(parts, folder / "state.pt")
        report(score=score, round=number)


if __name__ == "__main__":
    trial()
