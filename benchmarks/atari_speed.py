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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reporting import keep
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent))

from pbt_core import Stream
from pbt_core.engines.base import limit_threads
from reproductions.atari.emulators import Emulators
from reproductions.atari.task import Atari

BATCH, UNROLL, SIZE, WIDTH = 16, 20, 42, 128
SETTINGS = {"lr": 2e-4, "entropy_cost": 1e-2, "intrinsic_cost": 0.5}
LIBRARY_NAMES = {"ms_pacman": "MsPacman", "amidar": "Amidar", "gravitar": "Gravitar", "enduro": "Enduro"}
Training = Callable[[int], None]


def ours(agent: str, game: str) -> Training:
    """A member's interval, as the engines call it."""
    task = Atari(game=game, agent=agent)  # type: ignore[arg-type]
    state = task.init(Stream(0), SETTINGS)

    def train(steps: int) -> None:
        task.step(state, SETTINGS, steps, Stream(1))

    return train


class Reference(nn.Module):
    """The network of ``LstmActorCritic``, written plainly."""

    def __init__(self, actions: int) -> None:
        super().__init__()
        self.perception = nn.Sequential(
            nn.Conv2d(4, 16, 6, 3), nn.ReLU(), nn.Conv2d(16, 32, 4, 2), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * 5 * 5, WIDTH), nn.ReLU(),
        )  # fmt: skip
        self.memory = nn.LSTM(WIDTH, WIDTH)
        self.policy, self.value = nn.Linear(WIDTH, actions), nn.Linear(WIDTH, 1)

    def forward(self, seen: torch.Tensor, carried: Any, fresh: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, Any]:
        """seen: [T * B, 4, 42, 42], fresh: [T, B]; gives logits [T * B, A], values [T * B] and what is carried on."""
        hidden, outputs = self.perception(seen.float() / 255).reshape(*fresh.shape, WIDTH), []
        for now, new in zip(hidden, fresh, strict=True):
            keep = (1.0 - new.float())[None, :, None]
            output, carried = self.memory(now[None], (keep * carried[0], keep * carried[1]))
            outputs.append(output)
        flat = torch.cat(outputs).flatten(0, 1)
        return self.policy(flat), self.value(flat).squeeze(-1), carried


def reference(environments: Any, actions: int) -> Training:
    """Synchronous advantage actor-critic as a script: two passes, n-step returns, RMSProp."""
    torch.manual_seed(0)
    agent = Reference(actions)
    optimizer = torch.optim.RMSprop(agent.parameters(), lr=SETTINGS["lr"], alpha=0.99, eps=1e-5)
    kept: dict[str, Any] = {
        "seen": torch.as_tensor(environments.reset(seed=0)[0]),
        "fresh": torch.zeros(BATCH),
        "carried": (torch.zeros(1, BATCH, WIDTH), torch.zeros(1, BATCH, WIDTH)),
    }

    def train(steps: int) -> None:
        for _ in range(steps // (BATCH * UNROLL)):
            begun = kept["carried"]
            seen, fresh, actions, rewards, ended = [], [], [], [], []
            for _ in range(UNROLL):
                seen.append(kept["seen"])
                fresh.append(kept["fresh"])
                with torch.no_grad():
                    logits, _, kept["carried"] = agent(kept["seen"], kept["carried"], kept["fresh"][None])
                    action = torch.distributions.Categorical(logits=logits).sample()
                observation, reward, terminated, truncated, _ = environments.step(action.numpy())
                kept["seen"] = torch.as_tensor(observation)
                kept["fresh"] = torch.as_tensor(terminated | truncated).float()
                actions.append(action)
                rewards.append(torch.as_tensor(np.sign(reward), dtype=torch.float32))
                ended.append(kept["fresh"])
            with torch.no_grad():
                _, following, _ = agent(kept["seen"], kept["carried"], kept["fresh"][None])
            returns = []
            for reward, end in zip(rewards[::-1], ended[::-1], strict=True):
                following = reward + 0.99 * (1 - end) * following
                returns.append(following)
            logits, values, _ = agent(torch.cat(seen), begun, torch.stack(fresh))
            distribution = torch.distributions.Categorical(logits=logits)
            advantages = torch.cat(returns[::-1]) - values
            loss = -(distribution.log_prob(torch.cat(actions)) * advantages.detach()).mean()
            loss = loss + 0.5 * advantages.square().mean() - SETTINGS["entropy_cost"] * distribution.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()

    return train


def vector_environment(game: str) -> tuple[Any, int]:
    """The emulator's own, at our sizes."""
    from ale_py.vector_env import AtariVectorEnv

    environments = AtariVectorEnv(
        game, num_envs=BATCH, num_threads=1, img_height=SIZE, img_width=SIZE, stack_num=4, frameskip=4
    )
    return environments, int(environments.single_action_space.n)


def gymnasium_environment(game: str) -> tuple[Any, int]:
    """Gymnasium's preprocessing and stacking around each game."""
    import ale_py
    import gymnasium
    from gymnasium import wrappers

    gymnasium.register_envs(ale_py)

    def make() -> Any:
        one = gymnasium.make(f"ALE/{LIBRARY_NAMES[game]}-v5", frameskip=1, repeat_action_probability=0.0)
        return wrappers.FrameStackObservation(wrappers.AtariPreprocessing(one, screen_size=SIZE), 4)

    environments = gymnasium.vector.SyncVectorEnv([make] * BATCH)
    return environments, int(environments.single_action_space.n)


def shares(agent: str, game: str, steps: int) -> dict[str, float]:
    """Parts of the time of one of our members: environment, acting (with the graph kept), learning."""
    spent = {"environment": 0.0, "acting": 0.0}
    task = Atari(game=game, agent=agent)  # type: ignore[arg-type]
    state = task.init(Stream(0), SETTINGS)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            begun = time.process_time()
            result = function(*arguments)
            spent[name] += time.process_time() - begun
            return result

        return call

    original = Emulators.step
    Emulators.step = timed("environment", original)  # type: ignore[method-assign]
    state.agent.act = timed("acting", state.agent.act)
    begun = time.process_time()
    try:
        task.step(state, SETTINGS, steps, Stream(1))
    finally:
        Emulators.step = original  # type: ignore[method-assign]
    whole = time.process_time() - begun
    rounded = {name: round(seconds / whole, 3) for name, seconds in spent.items()}
    return {**rounded, "learning_and_rest": round(1 - sum(rounded.values()), 3)}


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
    contenders: dict[str, Training] = {
        "lstm": ours("lstm", game),
        "fun": ours("fun", game),
        "reference": reference(*vector_environment(game)),
        "reference_gym": reference(*gymnasium_environment(game)),
    }
    fastest = dict.fromkeys(contenders, 0.0)
    for number in range(arguments.rounds):
        for name, train in contenders.items():
            print(f"round {number + 1} of {arguments.rounds}: {name} ...", file=sys.stderr, flush=True)
            begun = time.process_time()
            train(steps)
            fastest[name] = max(fastest[name], steps / (time.process_time() - begun))
    report = {
        "game": game,
        **{f"{name}_agent_steps_per_cpu_s": round(rate, 1) for name, rate in fastest.items()},
        "lstm_over_reference": round(fastest["lstm"] / fastest["reference"], 3),
        "lstm_over_reference_gym": round(fastest["lstm"] / fastest["reference_gym"], 3),
        "fun_over_reference": round(fastest["fun"] / fastest["reference"], 3),
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
