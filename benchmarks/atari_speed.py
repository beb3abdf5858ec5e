"""Agent steps per CPU second on an Atari game: python benchmarks/atari_speed.py [--out FILE] [--game NAME]

Contenders, all with 16 environments of 42x42, unroll 20, width 128, RMSProp and one thread:

* ``lstm``, ``fun``: our two agents as members of a population train, and where their time goes;
* ``reference``: an LSTM actor-critic in the shape that CleanRL's recurrent scripts have (act without gradient, then a second
  pass over the rollout), on the vector environment that ships with the emulator;
* ``reference_gym``: the same on gymnasium's wrappers, as those scripts use them.

They take turns over the rounds, in one process; the fastest round of each is printed, since whatever else the machine does
can only slow it down.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from reference_loop import BATCH, SIZE, Training, reference
from reporting import keep
from timing import Parts, fastest

sys.path.insert(0, str(Path(__file__).parent.parent))

from pbt_core import Stream
from pbt_core.engines.base import limit_threads
from reproductions.atari.emulators import Emulators
from reproductions.atari.task import Atari

SETTINGS = {"lr": 2e-4, "entropy_cost": 1e-2, "intrinsic_cost": 0.5}
LIBRARY_NAMES = {"ms_pacman": "MsPacman", "amidar": "Amidar", "gravitar": "Gravitar", "enduro": "Enduro"}


def ours(agent: str, game: str) -> Training:
    """A member's interval, as the engines call it."""
    task = Atari(game=game, agent=agent)  # type: ignore[arg-type]
    state = task.init(Stream(0), SETTINGS)

    def train(steps: int) -> None:
        task.step(state, SETTINGS, steps, Stream(1))

    return train


def vector_environment(game: str) -> tuple[Any, int, int]:
    """The emulator's own, at our sizes."""
    from ale_py.vector_env import AtariVectorEnv

    environments: Any = AtariVectorEnv(
        game, num_envs=BATCH, num_threads=1, img_height=SIZE, img_width=SIZE, stack_num=4, frameskip=4
    )
    return environments, 4, int(environments.single_action_space.n)


def gymnasium_environment(game: str) -> tuple[Any, int, int]:
    """Gymnasium's preprocessing and stacking around each game."""
    import ale_py
    import gymnasium
    from gymnasium import wrappers

    gymnasium.register_envs(ale_py)

    def make() -> Any:
        one = gymnasium.make(f"ALE/{LIBRARY_NAMES[game]}-v5", frameskip=1, repeat_action_probability=0.0)
        return wrappers.FrameStackObservation(wrappers.AtariPreprocessing(one, screen_size=SIZE), 4)

    environments: Any = gymnasium.vector.SyncVectorEnv([make] * BATCH)
    return environments, 4, int(environments.single_action_space.n)


def shares(agent: str, game: str, steps: int) -> dict[str, float]:
    """Parts of the time of one of our members: environment, acting (with the graph kept), learning."""
    parts = Parts()
    task = Atari(game=game, agent=agent)  # type: ignore[arg-type]
    state = task.init(Stream(0), SETTINGS)

    original = Emulators.step
    Emulators.step = parts.timed("environment", original)  # type: ignore[method-assign]
    state.agent.act = parts.timed("acting", state.agent.act)  # type: ignore[method-assign]
    begun = time.process_time()
    try:
        task.step(state, SETTINGS, steps, Stream(1))
    finally:
        Emulators.step = original  # type: ignore[method-assign]
    return parts.shares(time.process_time() - begun)


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--game", choices=LIBRARY_NAMES, default="ms_pacman")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=9600)
    arguments = parser.parse_args()
    limit_threads(1)
    game, steps = arguments.game, arguments.steps
    lr, entropy_cost = SETTINGS["lr"], SETTINGS["entropy_cost"]
    contenders: dict[str, Training] = {
        "lstm": ours("lstm", game),
        "fun": ours("fun", game),
        "reference": reference(*vector_environment(game), lr=lr, entropy_cost=entropy_cost),
        "reference_gym": reference(*gymnasium_environment(game), lr=lr, entropy_cost=entropy_cost),
    }
    rates = fastest(contenders, steps, arguments.rounds)
    report = {
        "game": game,
        **{f"{name}_agent_steps_per_cpu_s": round(rate, 1) for name, rate in rates.items()},
        "lstm_over_reference": round(rates["lstm"] / rates["reference"], 3),
        "lstm_over_reference_gym": round(rates["lstm"] / rates["reference_gym"], 3),
        "fun_over_reference": round(rates["fun"] / rates["reference"], 3),
        **{
            f"{agent}_share_of_{part}": share
            for agent in ("lstm", "fun")
            for part, share in shares(agent, game, steps).items()
        },
    }
    print(json.dumps(report, indent=1))
    keep(report, arguments.out)


if __name__ == "__main__":
    main()
