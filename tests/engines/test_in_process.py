import os

import pytest
import torch
from threadpoolctl import threadpool_info

from pbt_core import PBT, Batched, Leased, Plan, Processes, Serial, Simulated
from pbt_core.engines.base import THREAD_VARIABLES
from pbt_core.testing import Hill

PLAN = Plan(population=3, steps=20, interval=10, seed=3, synchronous=False)


class Together(Hill):
    """With a population form."""

    def step_all(self, states, hyperparameters, steps, seeds):
        return [self.step(*one, steps, seed) for *one, seed in zip(states, hyperparameters, seeds, strict=True)]


def threads():
    """Of every library that has them, and what those that come later will read."""
    pools = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    return pools, torch.get_num_threads(), {name: os.environ.get(name) for name in THREAD_VARIABLES}


@pytest.mark.parametrize(
    "engine",
    [Serial(threads=3), Batched(threads=3), Simulated(threads=3), Leased(threads=3), Processes(workers=1, threads=3)],
    ids=lambda engine: type(engine).__name__,
)
@pytest.mark.parametrize("ends", ["well", "by an error"])
def test_a_run_leaves_the_threads_of_its_process_as_they_were(engine, ends, tmp_path, monkeypatch):
    """They are limited while it goes on, and nobody notices afterwards."""
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("MKL_NUM_THREADS")
    before, during = threads(), []

    def observer(event):
        during.append(threads())
        if ends != "well" and event["event"] == "evaluated":
            raise KeyError

    if ends == "well":
        engine.run(Together(), PBT(ready=10), PLAN, tmp_path, observer)
    else:
        with pytest.raises(KeyError):
            engine.run(Together(), PBT(ready=10), PLAN, tmp_path, observer)
    pools, of_torch, variables = during[-1]
    assert of_torch == 3
    assert set(pools.values()) == {3}
    assert set(variables.values()) == {"3"}
    assert threads() == before
