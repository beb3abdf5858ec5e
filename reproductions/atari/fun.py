"""Feudal Networks (Vezhnevets et al., 2017, "FeUdal Networks for Hierarchical Reinforcement Learning"), section 3.

A Manager sets goals, directions in its latent space, over a horizon of c steps; a Worker acts so as to follow them, for
which it is rewarded beside the game's score. Symbols are the paper's: s latent state, g goal, w embedded goal,
c horizon (also the dilation of the Manager's LSTM), d size of the latent space, k size of a goal's embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from reproductions.shared.rl.actor_critic import actor_critic_loss
from reproductions.shared.rl.agent import Agent, Loss, Observations, Recurrent, Rollout
from reproductions.shared.rl.distributions import Categorical
from reproductions.shared.rl.environments import Actions, Discrete
from reproductions.shared.rl.returns import n_step_returns


class DilatedLstm(nn.Module):
    """An LSTM of ``dilation`` groups of state that share weights; step t updates group t mod ``dilation`` (section 3.2).

    The output is the mean over the groups, that is, over the last ``dilation`` steps: the pooling of the paper. So each
    group sees one input in ``dilation`` and remembers that much longer, and yet the output changes at every step.
    """

    def __init__(self, inputs: int, size: int, dilation: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(inputs, size)
        self.size, self.dilation = size, dilation

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x: [B, inputs]; hidden, cell: [B, dilation, size]; t: int64 [1]; gives the output [B, size] and the new two."""
        group = t % self.dilation  # stays on the device: nothing waits for it
        h, c = self.cell(x, (hidden.index_select(1, group).squeeze(1), cell.index_select(1, group).squeeze(1)))
        chosen = (torch.arange(self.dilation, device=t.device) == group)[:, None]
        hidden = torch.where(chosen, h[:, None], hidden)
        cell = torch.where(chosen, c[:, None], cell)
        return hidden.mean(1), hidden, cell


@dataclass(frozen=True)
class FunOutput:
    """The outputs of one step: logits [B, A], the two values [B], s and g [B, d], the intrinsic reward [B], since [B].

    ``since`` counts the steps of the episode before this one. ``chosen`` [B]: whether g is the Manager's goal, not
    a random one. The intrinsic reward is for having come to s.
    """

    logits: Tensor
    worker_value: Tensor
    manager_value: Tensor
    s: Tensor
    g: Tensor
    intrinsic: Tensor
    since: Tensor
    chosen: Tensor


class Fun(Agent):
    """The agent. perception: from observations to [B, width]. Sizes: ``width`` of perception and Worker, ``d``, ``k``, ``c``.

    discounts: of Worker and Manager. random_goals: probability that a goal is a random direction, for exploration.
    ValueError for composite or masked actions.
    """

    def __init__(
        self,
        perception: nn.Module,
        actions: Actions,
        width: int,
        d: int,
        k: int = 16,
        c: int = 10,
        discounts: tuple[float, float] = (0.95, 0.99),
        random_goals: float = 0.0,
    ) -> None:
        super().__init__()
        if not isinstance(actions, Discrete) or actions.mask:
            raise ValueError(f"actions = {actions} must be discrete, without a mask")
        self.perception = perception
        self.latent = nn.Linear(width, d)
        self.manager = DilatedLstm(d, d, c)
        self.manager_value = nn.Linear(d, 1)
        self.embedding = nn.Linear(d, k, bias=False)  # phi: without bias, so that a zero goal has no influence
        # The sum of c + 1 unit goals is long: at torch's usual scale the first policies would be certain of themselves.
        with torch.no_grad():
            self.embedding.weight.mul_(1 / (c + 1))
        self.worker = nn.LSTMCell(width, width)
        self.action_embeddings = nn.Linear(width, actions.n * k)
        self.worker_value = nn.Linear(width, 1)
        self.actions, self.width, self.d, self.k, self.c = actions.n, width, d, k, c
        self.worker_discount, self.manager_discount = discounts
        self.random_goals = random_goals

    def initial(self, batch: int) -> Recurrent:
        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(batch, *shape, dtype=dtype, device=self.device)

        return {
            "worker_hidden": zeros(self.width),
            "worker_cell": zeros(self.width),
            "manager_hidden": zeros(self.c, self.d),
            "manager_cell": zeros(self.c, self.d),
            # The last c latent states and goals of the episode, the newest last.
            "states": zeros(self.c, self.d),
            "goals": zeros(self.c, self.d),
            "since": zeros(dtype=torch.int64),
            # All environments share the phase of the dilated LSTM; it is kept for each, so that the batch comes first.
            "clock": zeros(dtype=torch.int64),
        }

    def step(self, observations: Observations, carried: Recurrent, rng: torch.Generator) -> tuple[FunOutput, Recurrent]:
        z = self.perception(observations)
        s = torch.relu(self.latent(z))
        t = carried["clock"].max().view(1)
        ghat, manager_hidden, manager_cell = self.manager(s, carried["manager_hidden"], carried["manager_cell"], t)
        g, chosen = self._explored(normalize(ghat, dim=-1), rng)
        states, goals, since = carried["states"], carried["goals"], carried["since"]
        # Equation 4's sum over the last c goals and this one; the Worker's gradient ends at them.
        w = self.embedding(goals.sum(1) + g.detach())
        worker_hidden, worker_cell = self.worker(z, (carried["worker_hidden"], carried["worker_cell"]))
        u = self.action_embeddings(worker_hidden).view(-1, self.actions, self.k)
        output = FunOutput(
            logits=torch.einsum("bak,bk->ba", u, w),
            worker_value=self.worker_value(worker_hidden).squeeze(-1),
            manager_value=self.manager_value(ghat).squeeze(-1),
            s=s,
            g=g,
            intrinsic=intrinsic_reward(s.detach(), states, goals, since),
            since=since,
            chosen=chosen,
        )
        return output, {
            "worker_hidden": worker_hidden,
            "worker_cell": worker_cell,
            "manager_hidden": manager_hidden,
            "manager_cell": manager_cell,
            "states": torch.cat([states[:, 1:], s.detach()[:, None]], 1),
            "goals": torch.cat([goals[:, 1:], g.detach()[:, None]], 1),
            "since": since + 1,
            "clock": (t + 1).repeat(len(since)),
        }

    def distribution(self, outputs: FunOutput) -> Categorical:
        return Categorical(outputs.logits)

    def loss(
        self, outputs: Sequence[FunOutput], after: FunOutput, rollout: Rollout, coefficients: Mapping[str, float]
    ) -> Loss:
        """The Worker's actor-critic loss on score and intrinsic reward, and the Manager's on the score alone."""
        logits = torch.stack([output.logits for output in outputs])
        # The intrinsic reward of a step is known at the next one; it is zero where another episode begins there.
        intrinsic = torch.stack([output.intrinsic for output in (*outputs[1:], after)])
        weight = coefficients["intrinsic_cost"]
        worker_values = torch.stack([output.worker_value for output in outputs])
        worker_returns = n_step_returns(
            rollout.rewards + weight * intrinsic, rollout.ended, after.worker_value, self.worker_discount
        )
        worker_loss, metrics = actor_critic_loss(
            Categorical(logits), worker_values, worker_returns, rollout.actions, coefficients
        )

        manager_values = torch.stack([output.manager_value for output in outputs])
        manager_returns = n_step_returns(rollout.rewards, rollout.ended, after.manager_value, self.manager_discount)
        advantages = manager_returns - manager_values
        s = torch.stack([output.s for output in (*outputs, after)]).detach()
        g = torch.stack([output.g for output in outputs])
        since = torch.stack([output.since for output in (*outputs, after)])
        chosen = torch.stack([output.chosen for output in outputs])
        goal = goal_loss(s, g, advantages.detach(), since, chosen, self.c)
        loss = worker_loss + goal + 0.5 * advantages.square().mean()
        return loss, {**metrics, "intrinsic_reward": intrinsic.mean()}

    def _explored(self, g: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The goals, with some replaced by random directions; and where they were kept."""
        if not self.random_goals:
            return g, torch.ones(len(g), dtype=torch.bool, device=g.device)
        kept = torch.rand(len(g), generator=rng, device=g.device) >= self.random_goals
        random = normalize(torch.randn(g.shape, generator=rng, device=g.device), dim=-1)
        return torch.where(kept[:, None], g, random), kept


def intrinsic_reward(s: Tensor, states: Tensor, goals: Tensor, since: Tensor) -> Tensor:
    """Equation 8: the mean over i = 1..c of cos(s_t - s_{t-i}, g_{t-i}), over steps of this episode alone.

    s: [B, d]; states, goals: [B, c, d], the newest last; since: [B], steps of the episode before this one. Gives [B].
    """
    c = states.shape[1]
    followed = cosine_similarity(s[:, None] - states, goals, dim=-1)
    age = torch.arange(c, 0, -1, device=s.device)
    return (followed * (age <= since[:, None])).sum(1) / c


def goal_loss(s: Tensor, g: Tensor, advantages: Tensor, since: Tensor, chosen: Tensor, c: int) -> Tensor:
    """Equation 7: minus the mean of A_t cos(s_{t+c} - s_t, g_t) over the steps whose t + c is in the rollout and episode.

    s, since: [T + 1, B, ...]; g, advantages, chosen: [T, B, ...]; only g carries gradient. Zero if there is no such step.
    """
    steps = len(s) - c
    if steps <= 0:
        return g.sum() * 0
    reached = since[c:] >= c  # the episode is at least c steps old at t + c, so t belongs to it
    counted = (reached & chosen[:steps]).to(g.dtype)
    followed = cosine_similarity(s[c:] - s[:-c], g[:steps], dim=-1)
    return -(counted * advantages[:steps] * followed).sum() / counted.sum().clamp(min=1)
