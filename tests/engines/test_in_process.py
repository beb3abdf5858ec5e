import os

import pytest
import torch
from threadpoolctl import threadpool_info

from pbt_core import PBT, Batched, Leased, Plan, Processes, Serial, Simulated, Stream
from pbt_core.calls import global_generators_kept, moved_generators, seed_globals
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


class Cards:
    """Generators of two cards that are not there, as torch has them; ``initialised``: whether this process has used them."""

    def __init__(self, monkeypatch, initialised):
        self.states = [torch.tensor([1, 2], dtype=torch.uint8), torch.tensor([3, 4], dtype=torch.uint8)]
        self.seeds = []
        monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: initialised)
        monkeypatch.setattr(torch.cuda, "manual_seed_all", self.seed)
        monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [state.clone() for state in self.states])
        monkeypatch.setattr(torch.cuda, "set_rng_state_all", lambda states: setattr(self, "states", list(states)))

    def seed(self, number):
        self.seeds.append(number)
        self.states = [torch.tensor([number % 251, 0], dtype=torch.uint8) for _ in self.states]

    def draw(self):
        self.states[1][1] += 1


@pytest.mark.parametrize("initialised", [True, False])
def test_a_run_leaves_the_generators_of_cards_as_they_were(initialised, tmp_path, monkeypatch):
    """They are seeded in every interval. Those that were not used before have the seed of the processor's, as ever."""
    cards = Cards(monkeypatch, initialised)
    before = [state.tolist() for state in cards.states]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(17)
        cards.seeds.clear()
        if initialised:
            cards.states = [torch.tensor(state, dtype=torch.uint8) for state in before]
        Serial().run(Hill(), PBT(ready=10), PLAN, tmp_path)
    assert len(set(cards.seeds)) > PLAN.population
    if initialised:
        assert [state.tolist() for state in cards.states] == before
    else:
        assert cards.seeds[-1] == 17


def test_draws_on_a_card_are_seen(monkeypatch):
    """By whoever asks which generators a task has drawn from."""
    cards = Cards(monkeypatch, True)
    with global_generators_kept():
        seed_globals(Stream(3))
        assert moved_generators() == []
        seed_globals(Stream(3))
        cards.draw()
        assert moved_generators() == ["torch"]
