"""A synchronous recurrent actor-critic as a script writes it: what our agents' speed is measured beside.

In the shape that CleanRL's recurrent scripts have: act without gradient, then a second pass over the rollout with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

BATCH, UNROLL, SIZE, WIDTH = 16, 20, 42, 128
#: Takes the agent steps to train for.
Training = Callable[[int], None]


class Reference(nn.Module):
    """The network of ``LstmActorCritic``, written plainly."""

    def __init__(self, channels: int, actions: int) -> None:
        super().__init__()
        self.perception = nn.Sequential(
            nn.Conv2d(channels, 16, 6, 3), nn.ReLU(), nn.Conv2d(16, 32, 4, 2), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * 5 * 5, WIDTH), nn.ReLU(),
        )  # fmt: skip
        self.memory = nn.LSTM(WIDTH, WIDTH)
        self.policy, self.value = nn.Linear(WIDTH, actions), nn.Linear(WIDTH, 1)

    def forward(self, seen: torch.Tensor, carried: Any, fresh: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, Any]:
        """seen: [T * B, channels, 42, 42], fresh: [T, B]; gives logits [T * B, A], values [T * B] and what is carried on."""
        hidden, outputs = self.perception(seen.float() / 255).reshape(*fresh.shape, WIDTH), []
        for now, new in zip(hidden, fresh, strict=True):
            keep = (1.0 - new.float())[None, :, None]
            output, carried = self.memory(now[None], (keep * carried[0], keep * carried[1]))
            outputs.append(output)
        flat = torch.cat(outputs).flatten(0, 1)
        return self.policy(flat), self.value(flat).squeeze(-1), carried


def reference(environments: Any, channels: int, actions: int, lr: float, entropy_cost: float) -> Training:
    """Two passes, n-step returns, RMSProp, on a vector environment of Gymnasium's interface."""
    torch.manual_seed(0)
    agent = Reference(channels, actions)
    optimizer = torch.optim.RMSprop(agent.parameters(), lr=lr, alpha=0.99, eps=1e-5)
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
            loss = loss + 0.5 * advantages.square().mean() - entropy_cost * distribution.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()

    return train
