"""Agent steps per CPU second on a first-person level: python benchmarks/dmlab_speed.py [--out FILE] [--level NAME]

Contenders, all with 16 games of 42x42 in colour, unroll 20, width 128, RMSProp and one thread:

* ``unreal``, ``plain``: UNREAL and the same agent without auxiliary tasks, as members of a population train;
* ``reference``: the recurrent actor-critic of ``reference_loop.py``, without auxiliary tasks, on Gymnasium's vector of the same
  games, driven as ViZDoom's examples do.

CPU seconds are those of the process and of its games' engines, which are processes of their own. They take turns over the
rounds; the fastest round of each is printed, since whatever else the machine does can only slow it down. What an auxiliary
loss costs, with its gradients, is timed apart in the same way, each alone and all together; together they cost less than
their sum, since pixel control and value replay share a pass over the memory.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import gymnasium
import numpy as np
import psutil
import vizdoom
from reference_loop import BATCH, SIZE, Training, reference
from reporting import keep
from timing import Parts, fastest

sys.path.insert(0, str(Path(__file__).parent.parent))

from pbt_core import Stream
from pbt_core.engines.base import limit_threads
from pbt_core.store import OWN, Store
from reproductions.dmlab import engine, wad
from reproductions.dmlab.doom import Doom, scenario
from reproductions.dmlab.levels import FRAME_SKIP, LEVELS, MOVES, Level
from reproductions.dmlab.plans import MAPS
from reproductions.dmlab.task import DMLab
from reproductions.dmlab.unreal import TASKS, Unreal

SETTINGS = {"lr": 2e-3, "entropy_cost": 3e-3, "unroll": 20}


def weights(tasks: tuple[str, ...]) -> dict[str, float]:
    """Settings that switch all auxiliary tasks off but these."""
    return {name: 0.0 for name in TASKS if name not in tasks}


def ours(level: str, tasks: tuple[str, ...]) -> Training:
    """A member's interval, as the engines call it."""
    task = DMLab(level=level, **weights(tasks))  # type: ignore[arg-type]
    state = task.init(Stream(0), SETTINGS)

    def train(steps: int) -> None:
        task.step(state, SETTINGS, steps, Stream(1))

    return train


class Script(gymnasium.Env[Any, Any]):
    """A game of one level as a script has it: one call a step, buttons and counters as ViZDoom's own examples use them."""

    def __init__(self, level: Level, root: Path) -> None:
        self.action_space = gymnasium.spaces.Discrete(len(level.moves))
        self.observation_space = gymnasium.spaces.Box(0, 255, (3, SIZE, SIZE), np.uint8)
        self._level = level
        self._moves = [
            [move.turn, move.strafe, move.forward, move.fire] for move in map(MOVES.get, level.moves) if move
        ]
        self._counters = [getattr(vizdoom.GameVariable, gain.counter) for gain in level.gains]
        self._game = engine.configured(scenario(level, root), root)
        engine.start(self._game, root)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        if self._level.layout:
            self._game.set_doom_map(wad.map_name(int(self.np_random.integers(MAPS)) + 1))
        self._game.new_episode()
        self._steps, self._held = 0, self._count()
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._game.make_action(self._moves[int(action)], FRAME_SKIP)
        self._steps += 1
        died, cut = self._game.is_episode_finished(), self._steps == self._level.steps
        if died:
            return np.zeros((3, SIZE, SIZE), np.uint8), self._level.death, True, cut, {}
        before, self._held = self._held, self._count()
        rises = [(gain, now - then) for gain, now, then in zip(self._level.gains, self._held, before, strict=True)]
        reward = sum(gain.worth * (1 if gain.once else rise) for gain, rise in rises if rise > 0)
        return self._seen(), reward, any(gain.ends and rise > 0 for gain, rise in rises), cut, {}

    def close(self) -> None:
        self._game.close()

    def _count(self) -> list[float]:
        return [self._game.get_game_variable(counter) for counter in self._counters]

    def _seen(self) -> Any:
        screen = self._game.get_state().screen_buffer
        return cv2.resize(screen, (SIZE, SIZE), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)


def scripted(level: Level, root: Path) -> Training:
    """The reference on games of the level."""
    environments = gymnasium.vector.SyncVectorEnv([lambda: Script(level, root)] * BATCH)
    return reference(environments, 3, len(level.moves), SETTINGS["lr"], SETTINGS["entropy_cost"])


def cpu_seconds() -> tuple[float, float]:
    """Of this process, and of the engines that it started."""
    engines = 0.0
    for child in psutil.Process().children(recursive=True):
        used = child.cpu_times()
        engines += used.user + used.system
    return time.process_time(), engines


def shares(level: str, tasks: tuple[str, ...], steps: int) -> dict[str, float]:
    """Parts of the time of one of our members: games (engines and their driver), acting (with the graph kept), the rest.

    auxiliary: the losses of the auxiliary tasks, forward; the rest is learning: losses, gradients of all, the optimiser.
    """
    parts = Parts()
    task = DMLab(level=level, **weights(tasks))  # type: ignore[arg-type]
    state = task.init(Stream(0), SETTINGS)

    original = Doom.step
    Doom.step = parts.timed("games", original)  # type: ignore[method-assign]
    state.agent.act = parts.timed("acting", state.agent.act)  # type: ignore[method-assign]
    state.agent.auxiliary = parts.timed("auxiliary", state.agent.auxiliary)  # type: ignore[method-assign]
    before = cpu_seconds()
    try:
        task.step(state, SETTINGS, steps, Stream(1))
    finally:
        Doom.step = original  # type: ignore[method-assign]
    driver, engines = (after - begun for after, begun in zip(cpu_seconds(), before, strict=True))
    parts.seconds["games"] += engines
    return parts.shares(driver + engines)


def auxiliary_seconds(level: str, repeats: int = 40) -> dict[str, float]:
    """CPU seconds of an update for each auxiliary loss and its gradients, and for all of them together."""
    task = DMLab(level=level)
    state = task.step(task.init(Stream(0), SETTINGS), SETTINGS, 2400, Stream(1))
    agent, memory, rng = state.agent, state.memory, np.random.default_rng(0)
    assert isinstance(agent, Unreal)
    assert memory is not None
    sets: dict[str, tuple[str, ...]] = {**{name: (name,) for name in TASKS}, "all": TASKS}
    fastest = dict.fromkeys(sets, float("inf"))
    coefficients = task.coefficients(SETTINGS)
    for _ in range(repeats):
        for name, agent.tasks in sets.items():
            begun = time.process_time()
            agent.auxiliary(memory, coefficients, rng)[0].backward()
            fastest[name] = min(fastest[name], time.process_time() - begun)
    return fastest


def exploit(level: str) -> dict[str, float]:
    """What a full checkpoint weighs, and what it costs a member to take over another's weights by way of the disk.

    With the memory full and episodes in their middle: both are saved, one adopts the other, and its games are played again.
    """
    task = DMLab(level=level)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        states = [task.step(task.init(Stream(seed), SETTINGS), SETTINGS, 7200, Stream(seed)) for seed in (0, 1)]
        begun = cpu_seconds()
        parent, child = (store.save(member, 7200, task.save(state), {}) for member, state in enumerate(states))
        saved = cpu_seconds()
        adopted = task.load(store.load(parent).adopted_by(store.load(child)), SETTINGS)
        task.make_environments().load(adopted.environments)  # type: ignore[attr-defined]
        done = cpu_seconds()
        return {
            "checkpoint_mb": (store.directory / child.filename).stat().st_size / 1e6,
            "checkpoint_own_mb": sum(a.nbytes for name, a in store.load(child).tensors.items() if name.startswith(OWN))
            / 1e6,
            "save_cpu_s": (sum(saved) - sum(begun)) / 2,
            "exploit_cpu_s": sum(done) - sum(saved),
        }


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--level", choices=LEVELS, default="seekavoid_arena")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=9600)
    arguments = parser.parse_args()
    limit_threads(1)
    level, steps = arguments.level, arguments.steps
    sets: dict[str, tuple[str, ...]] = {"unreal": TASKS, "plain": ()}
    contenders = {name: ours(level, tasks) for name, tasks in sets.items()}
    with tempfile.TemporaryDirectory() as folder:
        contenders["reference"] = scripted(LEVELS[level], Path(folder))
        for train in contenders.values():
            train(2400)  # so that memories are filled
        rates = fastest(contenders, steps, arguments.rounds, lambda: sum(cpu_seconds()))
    updates = rates["unreal"] / (BATCH * SETTINGS["unroll"])  # a CPU second
    report = {
        "level": level,
        **{f"{name}_agent_steps_per_cpu_s": round(rate, 1) for name, rate in rates.items()},
        "plain_over_reference": round(rates["plain"] / rates["reference"], 3),
        "unreal_over_reference": round(rates["unreal"] / rates["reference"], 3),
        **{
            f"{name}_share_of_unreal".replace("all_", "all_tasks_"): round(seconds * updates, 3)
            for name, seconds in auxiliary_seconds(level).items()
        },
        **{
            f"{name}_share_of_{part}": share
            for name in ("unreal", "plain")
            for part, share in shares(level, sets[name], steps).items()
        },
    }
    report |= {name: round(value, 3) for name, value in exploit(level).items()}
    print(json.dumps(report, indent=1))
    keep(report, arguments.out)


if __name__ == "__main__":
    main()
