"""Feudal Networks against slow loops written from the equations of their paper."""

import numpy as np
import pytest
import torch

from reproductions.atari.fun import DilatedLstm, Fun, goal_loss
from reproductions.shared.rl.agent import Rollout, restarted
from reproductions.shared.rl.environments import Composite, Discrete
from reproductions.shared.rl.networks import Perception


def cosine(a, b):
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


@pytest.fixture
def fun():
    torch.manual_seed(0)
    return Fun(Perception(1, 24, 12), Discrete(5), width=12, d=6, k=4, c=3)


def observations(steps, batch, seed=0):
    return torch.randint(0, 256, (steps, batch, 1, 24, 24), dtype=torch.uint8, generator=torch.manual_seed(seed))


def unrolled(agent, seen, carried, fresh=None):
    outputs = []
    for t, now in enumerate(seen):
        if fresh is not None:
            carried = restarted(carried, fresh[t])
        output, carried = agent.step({"pixels": now}, carried, torch.Generator())
        outputs.append(output)
    return outputs, carried


def test_the_dilated_lstm_is_r_lstms_that_take_turns():
    """One cell with its own state for each residue of the step; the output is the mean over all of them."""
    torch.manual_seed(0)
    lstm = DilatedLstm(5, 4, dilation=3)
    hidden, cell = torch.zeros(2, 3, 4), torch.zeros(2, 3, 4)
    alone = [(torch.zeros(2, 4), torch.zeros(2, 4)) for _ in range(3)]
    for t, x in enumerate(torch.randn(10, 2, 5)):
        output, hidden, cell = lstm(x, hidden, cell, torch.tensor([t]))
        alone[t % 3] = lstm.cell(x, alone[t % 3])
        torch.testing.assert_close(output, sum(h for h, _ in alone) / 3)


def test_the_intrinsic_reward_is_that_of_equation_8(fun):
    """The mean cosine between how far the latent state went and the goals on the way, within the episode."""
    steps, batch, c = 9, 2, fun.c
    fresh = torch.zeros(steps, batch, dtype=torch.bool)
    fresh[0] = True
    fresh[5, 1] = True
    outputs, _ = unrolled(fun, observations(steps, batch), fun.initial(batch), fresh)
    for b in range(batch):
        for t in range(steps):
            begin = 5 if b == 1 and t >= 5 else 0
            s = [output.s[b].detach().numpy() for output in outputs]
            g = [output.g[b].detach().numpy() for output in outputs]
            expected = sum(cosine(s[t] - s[t - i], g[t - i]) for i in range(1, c + 1) if t - i >= begin) / c
            assert float(outputs[t].intrinsic[b]) == pytest.approx(expected, abs=1e-5)


def test_the_goal_loss_is_that_of_equation_7():
    """Only steps whose horizon lies in the rollout and in the episode count, and only goals that the Manager chose."""
    rng = np.random.default_rng(0)
    steps, batch, d, c = 8, 3, 4, 3
    s, g = rng.normal(size=(steps + 1, batch, d)), rng.normal(size=(steps, batch, d))
    advantages = rng.normal(size=(steps, batch))
    chosen = rng.random((steps, batch)) < 0.8
    since = np.arange(steps + 1)[:, None] + np.array([[0, 10, 0]])
    since[4:, 2] = np.arange(steps - 3)  # the third environment's episode ended before step 4
    total, count = 0.0, 0
    for b in range(batch):
        for t in range(steps + 1 - c):
            within = not (b == 2 and t < 4 <= t + c)
            if within and chosen[t, b]:
                total += advantages[t, b] * cosine(s[t + c, b] - s[t, b], g[t, b])
                count += 1
    loss = goal_loss(*map(torch.tensor, (s, g, advantages, since, chosen)), c)
    assert float(loss) == pytest.approx(-total / count)


def test_a_rollout_shorter_than_the_horizon_teaches_the_manager_no_goals():
    """And is no error: the last rollout of an interval may be short."""
    g = torch.randn(2, 3, 4, requires_grad=True)
    since, chosen = torch.zeros(3, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.bool)
    loss = goal_loss(torch.randn(3, 3, 4), g, torch.randn(2, 3), since, chosen, c=5)
    assert float(loss.detach()) == 0.0


def test_an_unroll_in_two_parts_is_one_long_unroll(fun):
    """What is carried is everything: also the states and goals that rewards look back on."""
    seen = observations(11, 3)
    whole, _ = unrolled(fun, seen, fun.initial(3))
    first, carried = unrolled(fun, seen[:4], fun.initial(3))
    second, _ = unrolled(fun, seen[4:], carried)
    for ours, theirs in zip(first + second, whole, strict=True):
        for name in ("logits", "worker_value", "manager_value", "s", "g", "intrinsic", "since"):
            torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))


def test_the_order_of_environments_does_not_matter(fun):
    """Nothing flows from one environment into another."""
    seen, order = observations(7, 4), torch.tensor([2, 0, 3, 1])
    plain, _ = unrolled(fun, seen, fun.initial(4))
    shuffled, _ = unrolled(fun, seen[:, order], fun.initial(4))
    for ours, theirs in zip(shuffled, plain, strict=True):
        torch.testing.assert_close(ours.logits, theirs.logits[order])
        torch.testing.assert_close(ours.intrinsic, theirs.intrinsic[order])


def test_a_new_episode_knows_nothing_of_the_last(fun):
    """The same outputs as from the beginning, whatever went before; the phase of the dilated LSTM apart."""
    seen = observations(9, 2)
    fresh = torch.zeros(9, 2, dtype=torch.bool)
    fresh[6] = True  # twice the horizon, so that the phase is the same
    outputs, _ = unrolled(fun, seen, fun.initial(2), fresh)
    again, _ = unrolled(fun, seen[6:], fun.initial(2))
    for ours, theirs in zip(outputs[6:], again, strict=True):
        torch.testing.assert_close(ours.logits, theirs.logits)
        torch.testing.assert_close(ours.intrinsic, theirs.intrinsic)


def test_goals_learn_from_the_managers_loss_alone(fun):
    """Section 3: no gradient flows from the Worker into what sets the goals."""
    outputs, _ = unrolled(fun, observations(6, 2), fun.initial(2))
    sum(output.logits.square().sum() for output in outputs).backward()
    assert all(parameter.grad is None for parameter in fun.manager.parameters())
    assert all(parameter.grad is None for parameter in fun.latent.parameters())
    assert fun.embedding.weight.grad.abs().sum() > 0


def test_goals_are_directions(fun):
    """Of length one, whether the Manager's own or random."""
    fun.random_goals = 0.5
    outputs, _ = unrolled(fun, observations(6, 8), fun.initial(8))
    chosen = torch.stack([output.chosen for output in outputs])
    assert 5 < chosen.sum() < 43
    for output in outputs:
        torch.testing.assert_close(output.g.norm(dim=-1), torch.ones(8))


def test_each_cost_changes_what_is_learned(fun):
    """Intrinsic reward and entropy: the two weights under the search."""

    def gradient(**changes):
        outputs, carried = unrolled(fun, observations(6, 2), fun.initial(2))
        after, _ = fun.step({"pixels": observations(1, 2, seed=1)[0]}, carried, torch.Generator())
        rollout = Rollout(torch.zeros(6, 2, dtype=torch.int64), torch.ones(6, 2), torch.zeros(6, 2, dtype=torch.bool))
        fun.zero_grad()
        loss, metrics = fun.loss(outputs, after, rollout, {"entropy_cost": 0.0, "intrinsic_cost": 0.0, **changes})
        loss.backward()
        assert set(metrics) == {"entropy", "intrinsic_reward"}
        return fun.worker.weight_hh.grad.clone()

    assert not torch.equal(gradient(), gradient(entropy_cost=0.1))
    assert not torch.equal(gradient(), gradient(intrinsic_cost=1.0))


def test_actions_that_the_worker_cannot_embed_are_refused():
    """It has one embedding for each of a single set of actions, all available."""
    for actions in (Composite({"a": Discrete(2)}), Discrete(2, mask="available")):
        with pytest.raises(ValueError, match="must be discrete, without a mask"):
            Fun(Perception(1, 24, 12), actions, width=12, d=6)
