import math

import numpy as np
import pytest
import torch
from corridor import Corridor, Fleeting, agent
from torch.utils._python_dispatch import TorchDispatchMode

from pbt_core import Stream
from reproductions.shared.rl.actor_critic import actor_critic_loss
from reproductions.shared.rl.agent import Rollout, restarted
from reproductions.shared.rl.distributions import Categorical
from reproductions.shared.rl.episodes import REPORTING, SELECTING, Episodes
from reproductions.shared.rl.learner import Learner, train
from reproductions.shared.rl.returns import entropy, log_likelihood, n_step_returns


def learner(environments, seed=0):
    walker = agent(seed)
    optimizer = torch.optim.RMSprop(walker.parameters(), lr=3e-3, alpha=0.99, eps=1e-5)
    state = Learner.new(walker, optimizer, environments, clip_rewards=True)
    if isinstance(environments, Corridor):
        state.environments = environments.save()
    return state


def trained(state, environments, steps, unroll=5, seed=0):
    return train(state, environments, {"entropy_cost": 0.01}, steps, unroll, Stream(seed), clip_gradient=0.5)


def weights(state):
    return torch.cat([parameter.detach().flatten() for parameter in state.agent.parameters()])


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
    loss, _ = actor_critic_loss(Categorical(logits), values, returns, actions, {"entropy_cost": 0.0})
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


def test_an_episode_without_a_return_is_void():
    """A lost connection is no reward of 0: the episode counts nowhere, and the next one counts in full."""
    episodes = Episodes.none(2)
    episodes.add(np.array([1.0, 1.0]), np.array([False, False]))
    episodes.add(np.array([np.nan, 1.0]), np.array([True, True]))
    episodes.add(np.array([5.0, 0.0]), np.array([True, False]))
    assert (episodes.selecting, episodes.reporting, episodes.finished) == ([5.0], [2.0], 2)


def test_the_learner_learns_to_walk_down_a_corridor():
    """Four steps to the point: at random it takes about twenty."""
    corridor = Corridor(8)
    state = trained(learner(corridor), corridor, 8 * 3000)
    before = state.episodes.finished
    state = trained(state, corridor, 8 * 400, seed=1)
    assert (state.episodes.finished - before) / 8 > 70  # of at most 100


def test_training_depends_on_the_state_alone_not_on_what_the_machinery_did_since():
    """Members take turns on one set of environments; what is carried over an interval's end is everything."""
    corridor, other = Corridor(4), Corridor(4)
    alone, turns = learner(corridor), [learner(other, seed) for seed in (0, 1)]
    for interval in range(3):
        trained(alone, corridor, 40, seed=interval)
        for state in turns:
            trained(state, other, 40, seed=interval)
    assert torch.equal(weights(alone), weights(turns[0]))
    assert not torch.equal(weights(alone), weights(turns[1]))
    assert alone.episodes.finished == turns[0].episodes.finished > 0


def test_steps_that_the_environments_cannot_share_are_refused():
    """Budgets are exact."""
    corridor = Corridor(4)
    with pytest.raises(ValueError, match="steps = 10 must be a multiple of the 4 environments"):
        trained(learner(corridor), corridor, 10)


@pytest.mark.parametrize("unroll", [1, 5, 7, 12, 100])
def test_every_step_is_taken_once_and_learned_from_once_whatever_the_unroll(unroll):
    """The last rollout of an interval is as long as what is left; the next interval begins where it ended."""
    corridor = Corridor(4)
    state, learned = learner(corridor), []
    loss = state.agent.loss

    def spy(outputs, after, rollout: Rollout, coefficients):
        assert len(outputs) == len(rollout.actions) == len(rollout.rewards) == len(rollout.ended)
        learned.append((len(outputs), rollout.rewards.sum().item()))
        return loss(outputs, after, rollout, coefficients)

    state.agent.loss = spy
    for interval in range(2):
        trained(state, corridor, 4 * 12, unroll=unroll, seed=interval)
    whole, rest = divmod(12, unroll)
    assert [length for length, _ in learned] == 2 * ([unroll] * whole + [rest] * (rest > 0))
    assert corridor.taken == 2 * 4 * 12
    assert sum(rewards for _, rewards in learned) == state.episodes.finished


def test_environments_that_cannot_be_saved_begin_anew_in_each_interval_and_repeat():
    """From the interval's stream: the worker that has them still, and the one that never had, do the same."""
    first, other = Fleeting(4), Fleeting(4)
    state, again = learner(first), learner(other)
    for interval in range(3):
        trained(state, first, 4 * 11, seed=interval)
        other.begin(99)  # somebody else used this one
        other.step(np.ones(4, np.int64))
        trained(again, other, 4 * 11, seed=interval)
    assert torch.equal(weights(state), weights(again))
    assert len(set(first.begun)) == len(first.begun) == 3
    assert state.environments == {}


def test_episodes_that_an_interval_cuts_are_not_counted():
    """Nor is what they had collected added to the next one."""
    forever = Fleeting(4, length=5)
    state = learner(forever)
    state.episodes.running[:] = 3.0
    state.interaction.carried["hidden"][:] = 7.0
    trained(state, forever, 4)
    assert state.episodes.finished == 0
    assert state.episodes.running.tolist() == [0.0] * 4


class Reads(TorchDispatchMode):
    """Counts what waits for a device: numbers and truth values read from tensors, shapes that depend on values."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.count += function.overloadpacket.__name__ in {
            "_local_scalar_dense",
            "nonzero",
            "masked_select",
            "is_nonzero",
        }
        return function(*arguments, **(keywords or {}))


def test_no_step_and_no_update_reads_a_number_from_the_device():
    """On an accelerator each would wait for all work: actions go to the environments, metrics are read once an interval."""

    def reads(steps):
        corridor = Corridor(4)
        state = learner(corridor)
        trained(state, corridor, 40)  # the optimiser makes its state at first
        with Reads() as mode:
            trained(state, corridor, steps)
        return mode.count

    assert reads(4 * 50) == reads(4 * 5) <= 2
