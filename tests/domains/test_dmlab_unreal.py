"""UNREAL's losses against slow loops written from the paper's equations, and the agent with and without them."""

import numpy as np
import pytest
import torch

from pbt_core import Stream
from reproductions.dmlab.auxiliary import (
    cells,
    pixel_changes,
    pixel_control_loss,
    reward_class,
    reward_prediction_loss,
    value_replay_loss,
)
from reproductions.dmlab.sweep import CELL
from reproductions.dmlab.unreal import TASKS, PixelControl, Unreal
from reproductions.shared.rl.agent import restarted
from reproductions.shared.rl.environments import Array, Discrete
from reproductions.shared.rl.learner import Learner, train
from reproductions.shared.rl.networks import Perception


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("size", [42, 84, 15])
def test_a_cells_change_is_its_mean_absolute_difference(size):
    """Cell by cell, pixel by pixel; what is left over is cut off at the edges."""
    pixels = torch.randint(0, 256, (3, 2, 3, size, size), dtype=torch.uint8, generator=draws())
    changes = pixel_changes(pixels)
    side = cells(size)
    margin = (size - side * CELL) // 2
    assert changes.shape == (2, 2, side, side)
    for t, n, row, column in np.ndindex(*changes.shape):
        total = 0.0
        for channel, y, x in np.ndindex(3, CELL, CELL):
            place = channel, margin + row * CELL + y, margin + column * CELL + x
            total += abs(int(pixels[t + 1, n][place]) - int(pixels[t, n][place])) / 255
        assert float(changes[t, n, row, column]) == pytest.approx(total / (3 * CELL * CELL), abs=1e-6)


def test_pixel_control_is_n_step_q_learning_of_each_cell():
    """From the best action of the last step backwards, never across the end of an episode."""
    steps, n, actions, side, discount = 4, 2, 3, 2, 0.9
    values = torch.rand(steps + 1, n, actions, side, side, generator=draws(1))
    q = values.clone().requires_grad_()
    changes = torch.rand(steps, n, side, side, generator=draws(2))
    taken = torch.randint(0, actions, (steps, n), generator=draws(3))
    ended = torch.tensor([[False, False], [True, False], [False, False], [False, False]])
    total = 0.0
    for sequence, row, column in np.ndindex(n, side, side):
        following = max(float(values[steps, sequence, a, row, column]) for a in range(actions))
        for t in reversed(range(steps)):
            following = float(changes[t, sequence, row, column]) + discount * following
            following *= not ended[t, sequence]
            error = following - float(values[t, sequence, taken[t, sequence], row, column])
            total += 0.5 * error**2
    loss = pixel_control_loss(q, changes, taken, ended, discount)
    assert loss.item() == pytest.approx(total / (steps * n), rel=1e-5)
    loss.backward()
    assert not q.grad[-1].any()  # the target carries no gradient
    chosen = torch.zeros_like(q[:-1], dtype=torch.bool).scatter_(
        2, taken[..., None, None, None].expand(steps, n, 1, side, side), True
    )
    assert not q.grad[:-1][~chosen].any()
    assert q.grad[:-1][chosen].all()


def test_rewards_are_predicted_by_their_sign():
    """Cross entropy of three classes, by hand."""
    rewards = torch.tensor([0.0, 0.3, -2.0, 1.0])
    assert reward_class(rewards).tolist() == [0, 1, 2, 1]
    logits = torch.randn(4, 3, generator=draws(4))
    expected = 0.0
    for row, kind in zip(logits.tolist(), (0, 1, 2, 1), strict=True):
        expected -= row[kind] - np.log(sum(np.exp(value) for value in row))
    assert float(reward_prediction_loss(logits, rewards)) == pytest.approx(expected / 4, rel=1e-5)


def test_the_value_is_replayed_as_the_critic_learns_it():
    """n-step returns within an episode, half the squared error."""
    values = torch.rand(4, 2, generator=draws(5))
    rewards, ended = torch.rand(3, 2, generator=draws(6)), torch.tensor([[False, True], [False, False], [False, False]])
    total = 0.0
    for n in range(2):
        following = float(values[3, n])
        for t in (2, 1, 0):
            following = float(rewards[t, n]) + (0.0 if ended[t, n] else 0.99 * following)
            total += 0.5 * (following - float(values[t, n])) ** 2
    assert float(value_replay_loss(values, rewards, ended, 0.99)) == pytest.approx(total / 6, rel=1e-5)


@pytest.mark.parametrize("size", [42, 84])
def test_pixel_control_gives_each_action_a_value_in_each_cell(size):
    """Dueling: advantages have the mean zero over actions."""
    head = PixelControl(16, 5, cells(size))
    q = head(torch.randn(3, 2, 16, generator=draws(7)))
    assert q.shape == (3, 2, 5, cells(size), cells(size))
    flat = torch.relu(head.linear(torch.randn(2, 16, generator=draws(8)))).view(-1, 32, head.base, head.base)
    maps = head.maps(flat)
    q = head(torch.randn(2, 16, generator=draws(8)))
    assert torch.allclose(q.mean(1), maps[:, 0], atol=1e-5)
    assert torch.allclose(q[:, 1] - q[:, 0], maps[:, 2] - maps[:, 1], atol=1e-5)


def test_what_is_remembered_of_a_sequence_is_what_single_steps_would_remember():
    """From zeros at every beginning, and so are the gradients; beginnings anywhere."""
    agent = Unreal(Perception(3, 16, 8), Discrete(3), 8, 16, ())
    fresh = torch.zeros(9, 4, dtype=torch.bool)
    fresh[0] = fresh[4, 1] = fresh[5, 1] = fresh[8, 2] = True
    known = torch.randn(9, 4, 8 + 3 + 1, generator=draws(9))
    gradients, outputs = [], []
    for stepwise in (True, False):
        features = known.clone().requires_grad_()
        if stepwise:
            carried, seen = agent.initial(4), []
            for row, begun in zip(features, fresh, strict=True):
                carried = agent.remember(row, restarted(carried, begun))
                seen.append(carried["hidden"])
            outputs.append(torch.stack(seen))
        else:
            outputs.append(agent.remembered(features, fresh))
        outputs[-1].square().sum().backward()
        gradients.append(features.grad)
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*gradients)


class Room:
    """Two environments that show noise; a step is worth something now and then, and an episode has 7 steps."""

    batch = 2
    actions = Discrete(3)

    def __init__(self):
        self.observations = {"pixels": Array((3, 16, 16), np.uint8)}

    def begin(self, seed):
        self.rng, self.age = np.random.default_rng(seed), 0
        self._draw()

    def observe(self):
        return {"pixels": self.seen}

    def step(self, actions):
        self.age += 1
        self._draw()
        return (self.rng.random(2) < 0.3) * 1.0, np.full(2, self.age % 7 == 0)

    def _draw(self):
        self.seen = self.rng.integers(0, 256, (2, 3, 16, 16), dtype=np.uint8)


COEFFICIENTS = {"entropy_cost": 0.01, "pixel_control": 0.05, "reward_prediction": 1.0, "value_replay": 1.0}


def trained(tasks, **changes):
    torch.manual_seed(0)
    environments = Room()
    agent = Unreal(Perception(3, 16, 8), Discrete(3), 8, 16, tasks, remembers=20, replays=3, length=5)
    learner = Learner.new(agent, torch.optim.RMSprop(agent.parameters(), 1e-3), environments, True)
    return train(learner, environments, {**COEFFICIENTS, **changes}, 2 * 60, 5, Stream(0), clip_gradient=40.0)


def shared(learner):
    heads = ("pixel_control.", "reward_prediction.")
    return {name: p for name, p in learner.agent.state_dict().items() if not name.startswith(heads)}


def test_without_its_tasks_it_is_the_plain_agent_to_the_bit():
    """Nothing is remembered, and heads whose losses weigh nothing change nothing either."""
    plain = trained(())
    assert plain.memory is None
    off = trained(TASKS, pixel_control=0.0, reward_prediction=0.0, value_replay=0.0)
    for name, parameter in shared(plain).items():
        assert torch.equal(parameter, shared(off)[name]), name


@pytest.mark.parametrize("task", TASKS)
def test_each_task_changes_what_is_learned_and_is_told_as_a_metric(task):
    """Alone, through what it shares with the policy."""
    plain, helped = trained(()), trained((task,))
    assert helped.metrics[f"{task}_loss"] > 0
    assert any(not torch.equal(p, shared(helped)[name]) for name, p in shared(plain).items())


def test_what_is_fed_to_the_lstm_has_the_last_action_and_reward():
    """One of n, and a number, behind the picture's features."""
    agent = Unreal(Perception(3, 16, 8), Discrete(3), 8, 16, ())
    seen = {
        "pixels": torch.zeros(2, 3, 16, 16, dtype=torch.uint8),
        "last_action": torch.tensor([2, 0]),
        "last_reward": torch.tensor([0.5, -1.0]),
    }
    features = agent.features(seen)
    assert features[:, 8:].tolist() == [[0, 0, 1, 0.5], [1, 0, 0, -1.0]]
