"""UNREAL: an LSTM actor-critic with auxiliary tasks on replayed experience (Jaderberg et al., 2016).

With all tasks off it is the plain agent, to the bit: their networks do not exist and nothing is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from reproductions.dmlab.auxiliary import (
    FRAMES,
    cells,
    pixel_changes,
    pixel_control_loss,
    reward_prediction_loss,
    value_replay_loss,
)
from reproductions.shared.rl.actor_critic import LstmActorCritic
from reproductions.shared.rl.agent import LAST_ACTION, LAST_REWARD, Loss, Observations
from reproductions.shared.rl.environments import Discrete
from reproductions.shared.rl.memory import Memory, Sequences
from reproductions.shared.rl.networks import Perception

#: The auxiliary tasks, which are also the names of their weights among the coefficients.
TASKS = ("pixel_control", "reward_prediction", "value_replay")
#: Discount of changes of pixels, a step (section 3.1).
PIXEL_DISCOUNT = 0.9


class Unreal(LstmActorCritic):
    """The agent; see ``reproductions.shared.rl.agent.Agent``.

    size: of pictures in pixels. tasks: which of ``TASKS`` it has. remembers: steps of each environment in the memory.
    replays, length: sequences and their steps from the memory for an update (one sample for pixel control and value replay,
    another for reward prediction; our choice).
    """

    feedback = True
    perception: Perception
    pixel_control: PixelControl
    reward_prediction: nn.Sequential

    def __init__(
        self,
        perception: Perception,
        actions: Discrete,
        width: int,
        size: int,
        tasks: tuple[str, ...] = TASKS,
        remembers: int = 125,
        replays: int = 4,
        length: int = 20,
        discount: float = 0.99,
    ) -> None:
        super().__init__(perception, actions, width, discount, inputs=width + actions.n + 1)
        self.choices, self.tasks = actions.n, tasks
        self.remembers = remembers if tasks else 0
        self.replays, self.length = replays, length
        if "pixel_control" in tasks:
            self.pixel_control = PixelControl(width, actions.n, cells(size))
        if "reward_prediction" in tasks:
            self.reward_prediction = nn.Sequential(
                nn.Linear(FRAMES * perception.linear.in_features, 128), nn.ReLU(), nn.Linear(128, 3)
            )

    def features(self, observations: Observations) -> Tensor:
        """What the LSTM is fed: the picture, the last action as one of ``n``, the last reward."""
        last = one_hot(observations[LAST_ACTION], self.choices).to(torch.float32)
        return torch.cat([self.perception(observations), last, observations[LAST_REWARD][:, None]], 1)

    def auxiliary(self, memory: Memory, coefficients: Mapping[str, float], rng: np.random.Generator) -> Loss:
        if not memory.holds(max(self.length, FRAMES)):
            return torch.zeros((), device=self.device), {}
        losses: dict[str, Tensor] = {}
        if "pixel_control" in self.tasks or "value_replay" in self.tasks:
            replayed = memory.sequences(self.replays, self.length, rng, self.device)
            hidden = self._replayed(replayed)
            if "pixel_control" in self.tasks:
                q = self.pixel_control(hidden)
                changes = pixel_changes(replayed.observations["pixels"])
                losses["pixel_control"] = pixel_control_loss(
                    q, changes, replayed.actions, replayed.ended, PIXEL_DISCOUNT
                )
            if "value_replay" in self.tasks:
                values = self.value(hidden).squeeze(-1)
                losses["value_replay"] = value_replay_loss(values, replayed.rewards, replayed.ended, self.discount)
        if "reward_prediction" in self.tasks:
            losses["reward_prediction"] = self._reward_prediction(memory, rng)
        total = sum((coefficients[name] * loss for name, loss in losses.items()), torch.zeros((), device=self.device))
        return total, {f"{name}_loss": loss.detach() for name, loss in losses.items()}

    def _replayed(self, sequences: Sequences) -> Tensor:
        """The LSTM's output along replayed sequences, from a state of zeros: [T + 1, N, width]."""
        steps, n = sequences.fresh.shape
        flat = {name: values.flatten(0, 1) for name, values in sequences.observations.items()}
        features = self.features(flat).view(steps, n, -1)
        return self.remembered(features, sequences.fresh)

    def _reward_prediction(self, memory: Memory, rng: np.random.Generator) -> Tensor:
        """From what the convolutions make of three pictures; the LSTM has no part in it (section 3.2)."""
        windows = memory.windows(self.replays * self.length // FRAMES, FRAMES, rng, self.device)
        pixels = windows.observations["pixels"]
        seen = self.perception.convolved({"pixels": pixels.flatten(0, 1)}).view(FRAMES, pixels.shape[1], -1)
        return reward_prediction_loss(self.reward_prediction(seen.transpose(0, 1).flatten(1)), windows.rewards)


class PixelControl(nn.Module):
    """Q of the change in each cell, by action: a linear layer, then deconvolutions for value and advantages (dueling).

    [..., width] to [..., actions, side, side].
    """

    def __init__(self, width: int, actions: int, side: int) -> None:
        super().__init__()
        self.base = (side - 4) // 2 + 1  # what a kernel of 4 with stride 2 makes ``side`` of
        self.linear = nn.Linear(width, 32 * self.base**2)
        self.maps = nn.ConvTranspose2d(
            32, 1 + actions, 4, 2
        )  # the value's, and each action's advantage: one pass for all

    def forward(self, hidden: Tensor) -> Tensor:
        flat = torch.relu(self.linear(hidden.flatten(0, -2))).view(-1, 32, self.base, self.base)
        maps = self.maps(flat)
        value, advantage = maps[:, :1], maps[:, 1:]
        q = value + advantage - advantage.mean(1, keepdim=True)
        return q.view(*hidden.shape[:-1], *q.shape[1:])
