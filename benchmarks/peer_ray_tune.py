"""The digits work of ``pbt_cost`` in Ray Tune's PBT: synchronous, actors reused, two trials at a time.

Of Ray's settings these are the fastest that finish: asynchronous, with more trials than cores, some trials starve.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
from pathlib import Path
from typing import Any


def run(directory: Path, population: int, intervals: int, interval: int, ready: int) -> None:
    """One PBT run; its files go to ``directory``."""
    import ray
    from ray import tune
    from ray.tune.schedulers import PopulationBasedTraining

    with contextlib.redirect_stdout(io.StringIO()):
        if not ray.is_initialized():
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        prior = {"lr": tune.loguniform(1e-5, 1e-1), "weight_decay": tune.loguniform(1e-5, 1.0)}
        scheduler = PopulationBasedTraining(
            time_attr="training_iteration",
            perturbation_interval=max(1, ready // interval),
            hyperparam_mutations=prior,
            quantile_fraction=0.2,
            synch=True,
        )
        config = tune.TuneConfig(
            scheduler=scheduler, num_samples=population, metric="score", mode="max", reuse_actors=True
        )
        stop = tune.RunConfig(storage_path=str(directory.absolute()), stop={"training_iteration": intervals}, verbose=0)
        trainable = tune.with_resources(trainable_class(interval), {"cpu": 1})
        tune.Tuner(trainable, param_space=prior, tune_config=config, run_config=stop).fit()


@functools.cache
def trainable_class(interval: int) -> Any:
    """The example's task as Ray's trainable; a step is an interval and its evaluation."""
    from ray import tune

    class Trainable(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            import sys

            root = Path(__file__).parent.parent
            sys.path[:0] = [str(root), str(root / "examples")]
            import torch
            from digits import Digits

            from pbt_core import Stream

            torch.set_num_threads(1)
            self.task, self.stream = Digits(), Stream(hash(self.trial_id) % 2**32)
            self.state = self.task.init(self.stream, config)

        def step(self) -> dict[str, float]:
            seed = self.stream.child(self.iteration)
            self.state = self.task.step(self.state, self.config, interval, seed)
            return {"score": self.task.evaluate(self.state, seed).value}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            import torch

            model, optimizer = self.state
            parts = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(parts, Path(checkpoint_dir) / "state.pt")

        def load_checkpoint(self, checkpoint_dir: Any) -> None:
            import torch

            parts = torch.load(Path(checkpoint_dir) / "state.pt", weights_only=True)
            for part, name in zip(self.state, ("model", "optimizer"), strict=True):
                part.load_state_dict(parts[name])

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.config = new_config
            self.state = self.task.init(self.stream, new_config)
            return True

    return Trainable
