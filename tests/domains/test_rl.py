import math

import numpy as np
import pytest
import torch

from reproductions.shared.rl.agent import LstmActorCritic, Rollout, actor_critic_loss, restarted
from reproductions.shared.rl.environments import REPORTING, SELECTING, Episodes
from reproductions.shared.rl.learner import Learner, train
from reproductions.shared.rl.returns import entropy, log_likelihood, n_step_returns


class Corridor:
    """Environments of one pixel a place: action 1 goes right; the end of the corridor is worth a point."""

    actions = 2

    def __init__(self, batch, length=4):
        self.batch, self.length = batch, length
        self.places = np.zeros(batch, np.int64)

    def begin(self, seed):
        self.places[:] = 0

    def observe(self):
        seen = np.zeros((self.batch, 1, 24, 24), np.uint8)
        for index, place in enumerate(self.places):
            seen[index, 0, :, 4 * place : 4 * place + 4] = 255
        return seen

    def step(self, actions):
        self.places = np.maximum(self.places + 2 * actions - 1, 0)
        ended = self.places >= self.length
        self.places[ended] = 0
        return ended.astype(float), ended

    def save(self):
        return {"places": self.places.copy()}

    def load(self, arrays):
        self.places[:] = arrays["places"]


def learner(batch, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        agent = LstmActorCritic(1, 24, 2, 16)
    optimizer = torch.optim.RMSprop(agent.parameters(), lr=3e-3, alpha=0.99, eps=1e-5)
    environments = Corridor(batch)
    return Learner(
        agent, optimizer, agent.initial(batch), np.ones(batch, bool), Episodes.none(batch), environments.save()
    )


def trained(state, steps, unroll=5, seed=0):
    environments = Corridor(len(state.fresh))
    rng = torch.Generator().manual_seed(seed)
    costs = {"entropy_cost": 0.01}
    return train(state, environments, costs, steps, unroll, rng, clip_rewards=True, clip_gradient=0.5)


def test_n_step_returns_are_those_of_a_loop_over_each_environment():
    """From the definition: discounted rewards up to the end of the episode, else up to the bootstrap value."""
    rng = np.random.default_rng(0)
    rewards, ended = rng.normal(size=(7, 3)), rng.random((7, 3)) < 0.3
    bootstrap, discount = rng.normal(size=3), 0.9
    found = n_step_returns(*map(torch.tensor, (rewards, ended, bootstrap)), discount)
    for b in range(3):
        for t in range(7):
            total, factor = 0.0, 1.0
            for later in range(t, 7):
                total += factor * rewards[later, b]
                factor *= discount
                if ended[later, b]:
                    break
            else:
                total += factor * bootstrap[b]
            assert found[t, b] == pytest.approx(total)


def test_entropy_and_likelihood_are_those_of_the_distribution():
    """In nats; the uniform one over four actions has log 4."""
    logits = torch.log_softmax(torch.tensor([[0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0]]), -1)
    distribution = torch.distributions.Categorical(logits=logits)
    torch.testing.assert_close(entropy(logits), distribution.entropy())
    assert entropy(logits)[0] == pytest.approx(math.log(4))
    torch.testing.assert_close(
        log_likelihood(logits, torch.tensor([3, 1])), distribution.log_prob(torch.tensor([3, 1]))
    )


def test_the_value_does_not_learn_from_the_policy_nor_the_policy_from_the_advantage():
    """The advantage is a constant to the policy gradient."""
    logits = torch.randn(4, 2, 3, requires_grad=True)
    values = torch.randn(4, 2, requires_grad=True)
    returns, actions = torch.randn(4, 2), torch.randint(0, 3, (4, 2))
    loss, _ = actor_critic_loss(logits, values, returns, actions, {"entropy_cost": 0.0})
    loss.backward()
    torch.testing.assert_close(values.grad, (values - returns).detach() / 8)
    probabilities = torch.softmax(logits.detach(), -1)
    chosen = torch.nn.functional.one_hot(actions, 3)
    expected = -(chosen - probabilities) * (returns - values.detach())[..., None] / 8
    torch.testing.assert_close(logits.grad, expected)


def test_returns_are_kept_for_selecting_and_for_reporting_from_different_environments():
    """No episode that chose a member is told as its result."""
    episodes = Episodes.none(4)
    for step in range(1, 101):
        ended = np.array([step % 2 == 0, False, step % 2 == 0, False])
        episodes.add(np.array([1.0, 5.0, 10.0, 7.0]), ended)
    value, samples, reported = episodes.scores()
    assert (value, reported) == (2.0, 20.0)
    assert samples == (2.0,) * SELECTING
    assert len(episodes.reporting) == REPORTING
    assert episodes.finished == 100


def test_before_any_episode_has_ended_the_running_ones_stand_for_it():
    """A score has to be finite; there are no samples for a test yet."""
    episodes = Episodes.none(2)
    episodes.add(np.array([3.0, 4.0]), np.array([False, False]))
    assert episodes.scores() == (3.0, (), 4.0)


def test_one_environment_cannot_both_select_and_report():
    """The message names the value and the rule."""
    with pytest.raises(ValueError, match="batch = 1 must be at least 2"):
        Episodes.none(1)


def test_what_is_carried_is_emptied_only_where_an_episode_begins():
    """Recurrent state does not leak from one episode into the next."""
    carried = {"hidden": torch.ones(3, 4), "clock": torch.tensor([5, 5, 5])}
    after = restarted(carried, torch.tensor([False, True, False]))
    assert after["hidden"].sum(1).tolist() == [4, 0, 4]
    assert after["clock"].tolist() == [5, 0, 5]
    assert carried["hidden"].sum() == 12


def test_the_learner_learns_to_walk_down_a_corridor():
    """Four steps to the point: at random it takes about twenty."""
    state = trained(learner(8), 8 * 3000)
    before = state.episodes.finished
    state = trained(state, 8 * 400, seed=1)
    assert (state.episodes.finished - before) / 8 > 70  # of at most 100


def test_training_in_two_intervals_is_training_in_one():
    """What is carried over an interval's end is everything."""
    state = learner(4)
    environments = Corridor(4)
    rng = torch.Generator().manual_seed(3)
    for steps in (40, 80):
        options = {"clip_rewards": True, "clip_gradient": 0.5}
        state = train(state, environments, {"entropy_cost": 0.01}, steps, 5, rng, **options)
    once = trained(learner(4), 120, seed=3)
    for ours, theirs in zip(state.agent.parameters(), once.agent.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert state.episodes.finished == once.episodes.finished


def test_steps_that_the_environments_cannot_share_are_refused():
    """Budgets are exact."""
    with pytest.raises(ValueError, match="steps = 10 must be a multiple of the 4 environments"):
        trained(learner(4), 10)


def test_the_last_rollout_is_as_long_as_what_is_left():
    """A budget that the unroll does not divide is still used up exactly."""
    state = learner(4)
    seen = []
    loss = state.agent.loss

    def spy(outputs, after, rollout: Rollout, coefficients):
        seen.append(len(outputs))
        return loss(outputs, after, rollout, coefficients)

    state.agent.loss = spy
    trained(state, 4 * 12, unroll=5)
    assert seen == [5, 5, 2]
