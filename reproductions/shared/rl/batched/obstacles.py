"""Whether members can be trained as one program, found out before anything of them changes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from reproductions.shared.rl.agent import Agent, Rollout
from reproductions.shared.rl.batched.agents import Agents
from reproductions.shared.rl.batched.training import Interval
from reproductions.shared.rl.environments import Environments
from reproductions.shared.stacked import Stacked


def obstacle(intervals: Sequence[Interval], environments: Environments) -> str | None:
    """What is in the way, in words that name the agent; None if nothing is. ``environments``: as each of them has."""
    agent = intervals[0].learner.agent
    name = type(agent).__name__
    if agent.remembers:
        return f"the agent {name} learns from a replay memory, whose sequences differ in form between members"
    if type(agent).act is not Agent.act:
        return f"the agent {name} acts in a way of its own"
    if kept := sorted(agent.state_dict().keys() - dict(agent.named_parameters()).keys()):
        return f"the agent {name} keeps {kept[0]}, which is no weight"
    try:
        Stacked([each.learner.agent for each in intervals], [each.learner.optimizer for each in intervals])
        _rehearse(intervals[0], environments)
    except ValueError as error:
        return str(error)
    except RuntimeError as error:
        return f"the agent {name} cannot be mapped over weights: {' '.join(str(error).split()).partition('. ')[0]}"
    return None


@torch.no_grad()
def _rehearse(interval: Interval, environments: Environments) -> None:
    """A rollout of zeros and its loss, mapped over one member: what torch cannot map raises RuntimeError."""
    agent, batch = interval.learner.agent, environments.batch
    agents = Agents(agent, {name: weight[None] for name, weight in agent.named_parameters()})
    arrays = {name: array.zeros(1, batch) for name, array in environments.observations.items()}
    arrays |= {name: values[None] for name, values in interval.learner.interaction.last.items()}
    seen = {name: torch.from_numpy(values).to(agent.device) for name, values in arrays.items()}
    carried = {name: values[None] for name, values in agent.initial(batch).items()}
    zeros = torch.zeros(1, interval.unroll, batch, device=agent.device)
    named = environments.actions.zeros(1, interval.unroll, batch)
    done = (
        {name: torch.from_numpy(part).to(agent.device) for name, part in named.items()}
        if isinstance(named, dict)
        else torch.from_numpy(named).to(agent.device)
    )
    outputs, _, _ = agents.step(seen, carried, zeros[:, 0] == 0)
    coefficients = dict.fromkeys(interval.coefficients, zeros[:, 0, 0])
    agents.loss([outputs] * interval.unroll, outputs, Rollout(done, zeros, zeros != 0), coefficients)
