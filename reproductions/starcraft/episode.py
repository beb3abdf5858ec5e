"""What an agent plays, as pictures with its spatial policy: for the figure of this domain alone."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from pbt_core import Stream
from reproductions.shared.rl.agent import Agent
from reproductions.shared.rl.distributions import Joint
from reproductions.shared.rl.environments import Environments
from reproductions.shared.rl.interaction import Interaction
from reproductions.starcraft.environments import MiniGames
from reproductions.starcraft.rendering import picture
from reproductions.starcraft.specification import FUNCTIONS

#: Pictures of the episode, steps between two of them, and pixels of a unit of the world.
PICTURES, APART, PIXELS = 6, 5, 6


def seen(agent: Agent, environments: Environments, seed: Stream) -> dict[str, NDArray[np.generic]]:
    """``PICTURES`` pictures of new play in the first game, one every ``APART`` steps, by the agent's own policy.

    frames: uint8 [PICTURES, pixels, pixels, 3], before each of these steps. spatial: float32 [PICTURES, size, size], the
    probability of each cell of the screen, which is drawn if the function takes one. functions: int64 [PICTURES], pysc2's
    identifiers of the functions that were chosen. points: int64 [PICTURES, 2], the cells (x, y) that they were given, -1 for
    functions that take none.
    """
    assert isinstance(environments, MiniGames)
    environments.begin(seed.child("environments").integer())
    interaction = Interaction.beginning(agent, environments)
    rng = torch.Generator(agent.device).manual_seed(seed.child("actions").integer())
    frames, spatial, functions, points = [], [], [], []
    with torch.no_grad():
        for number in range(PICTURES * APART):
            frame = picture(environments, 0, PIXELS) if number % APART == 0 else None
            step = interaction.act(agent, environments, rng)
            if frame is None:
                continue
            policy = agent.distribution(step.outputs)
            assert isinstance(policy, Joint)
            assert isinstance(step.actions, dict)
            chosen = {name: int(values[0]) for name, values in step.actions.items()}
            function = FUNCTIONS[environments.functions[chosen["function"]]]
            size = environments.size
            y, x = divmod(chosen["screen"], size) if "screen" in function.arguments else (-1, -1)
            frames.append(frame)
            spatial.append(policy.parts["screen"].log_probabilities[0].exp().view(size, size).cpu().numpy())
            functions.append(function.id)
            points.append((x, y))
    return {
        "frames": np.stack(frames),
        "spatial": np.stack(spatial),
        "functions": np.array(functions),
        "points": np.array(points),
    }
