"""What an agent sees in an episode, and where it expects pictures to change: for the figure of this domain alone."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from pbt_core import Stream
from reproductions.dmlab.unreal import Unreal
from reproductions.shared.rl.environments import Environments
from reproductions.shared.rl.interaction import Interaction

#: Pictures of the episode, and steps between two of them.
PICTURES, APART = 8, 12


def seen(agent: Unreal, environments: Environments, seed: Stream, clip_rewards: bool) -> dict[str, NDArray[np.generic]]:
    """``PICTURES`` views of new play in the first environment, a view every ``APART`` steps, by the agent's own policy.

    frames: uint8 [PICTURES, 3, size, size]. steps: int64 [PICTURES], of the agent before each. control: float32 [PICTURES,
    cells, cells], the Q of pixel control of the action that is best for each cell; none of them for an agent without it.
    """
    environments.begin(seed.child("environments").integer())
    interaction = Interaction.beginning(agent, environments, clip_rewards)
    rng = torch.Generator(agent.device).manual_seed(seed.child("actions").integer())
    frames, control = [], []
    with torch.no_grad():
        for step in range(PICTURES * APART):
            picture = environments.observe()["pixels"][0].copy()
            interaction.act(agent, environments, rng)
            if step % APART == 0:
                frames.append(picture)
                if "pixel_control" in agent.tasks:
                    q = agent.pixel_control(interaction.carried["hidden"][:1])
                    control.append(q.max(1).values[0].cpu().numpy())
    return {
        "frames": np.stack(frames),
        "steps": np.arange(PICTURES) * APART,
        "control": np.stack(control) if control else np.zeros((0, 1, 1), np.float32),
    }
