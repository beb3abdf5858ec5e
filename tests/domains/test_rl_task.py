"""What every actor-critic domain shares: checkpoints, intervals, memory, feedback, the final evaluation."""

import numpy as np
import pytest
import torch
from corridor import Fleeting, Recall, Walk, agent

from pbt_core import PBT, Plan, Processes, Serial, Stream
from pbt_core.store import digest
from pbt_core.testing import check_task
from reproductions.shared.rl.evaluation import play
from reproductions.suite.study.registry import ConfigError

H = {"lr": 1e-3, "entropy_cost": 0.01, "unroll": 5}
TASKS = {
    "resumed": Walk(),
    "begun anew": Walk(resumable=False),
    "memory": Recall(),
    "memory left behind": Recall(saves_memory=False),
    "memory, begun anew": Recall(resumable=False),
}


def after(task, intervals=2, steps=4 * 13, seed=0, **changes):
    """A member, and the environments left in a state that somebody else made."""
    state = task.init(Stream(seed), H)
    for interval in range(intervals):
        state = task.step(state, {**H, **changes}, steps, Stream(seed).child(interval))
    task.make_environments().step(np.ones(4, np.int64))
    return state


@pytest.mark.parametrize("name", TASKS)
def test_actor_critic_tasks_keep_the_contract(name):
    """With environments that can be saved and with others, with a memory in the checkpoint and without, unroll included."""
    check_task(TASKS[name], steps=4 * 11)


@pytest.mark.parametrize("name", ["begun anew", "memory", "memory left behind"])
def test_runs_are_the_same_for_any_number_of_workers(tmp_path, name):
    """Also where environments begin anew in each interval, or the memory is left behind; and the unroll length evolves."""
    plan = Plan(population=4, steps=4 * 33, interval=4 * 11, seed=0)
    engines = (Serial(), Processes(workers=1), Processes(workers=3))
    runs = [
        engine.run(TASKS[name], PBT(ready=4 * 11), plan, tmp_path / str(index)).events
        for index, engine in enumerate(engines)
    ]
    assert runs[0] == runs[1] == runs[2]
    assert any(event["event"] == "cloned" for event in runs[0])
    assert len({event["hyperparameters"]["unroll"] for event in runs[0] if event["event"] == "evaluated"}) > 1


def test_the_unroll_of_an_interval_is_the_hyperparameter_or_the_setting():
    """Intervals differ where it differs, and agree where it is the same by another way."""
    task = Walk()
    by_setting = {name: value for name, value in H.items() if name != "unroll"}
    states = [task.init(Stream(0), H) for _ in range(3)]
    for state, hyperparameters in zip(states, (H, by_setting, {**H, "unroll": 6}), strict=True):
        task.step(state, hyperparameters, 4 * 11, Stream(1))
    digests = [digest(task.save(state)) for state in states]
    assert digests[0] == digests[1] != digests[2]


def test_an_agent_with_feedback_sees_what_it_did_last_and_nothing_where_an_episode_begins():
    """The action and the reward of the step before; zero at the beginning."""
    task = Recall()
    state = task.init(Stream(0), H)
    seen, done = [], []
    act, environments = state.agent.act, task.make_environments()

    def spy(observations, carried, rng):
        seen.append({name: array.clone() for name, array in observations.items()})
        result = act(observations, carried, rng)
        done.append(result[0])
        return result

    state.agent.act = spy
    taken, ended = environments.step, []
    environments.step = lambda actions: ended.append(taken(actions)) or ended[-1]
    try:
        task.step(state, H, 4 * 60, Stream(1))
    finally:
        del environments.step
    assert (seen[0]["last_action"] == 0).all()
    assert sum(end.sum() for _, end in ended) > 0
    for t in range(1, 60):
        rewards, end = ended[t - 1]
        expected = torch.where(torch.from_numpy(end), 0, done[t - 1])
        assert torch.equal(seen[t]["last_action"], expected)
        np.testing.assert_array_equal(seen[t]["last_reward"].numpy(), np.where(end, 0, rewards))
    assert done[0].any()


def test_last_action_reward_and_memory_stay_with_the_member_that_made_them():
    """A clone copies weights and what the agent carries; the running episodes, and all that tells of them, are its own."""
    task = Recall()
    parent, child = (task.save(after(task, seed=seed)) for seed in (0, 1))
    adopted = task.save(task.load(parent.adopted_by(child), H))
    own = {name for name in parent.tensors if name.startswith("own.")}
    assert own == {
        *("own.places", "own.fresh", "own.running", "own.last_action", "own.last_reward"),
        *(f"own.memory.{name}" for name in ("observations.pixels", "observations.last_action", "observations.last_reward")),
        *(f"own.memory.{name}" for name in ("actions.", "rewards", "ended", "cut")),
    }  # fmt: skip
    for name in parent.tensors:
        source = child if name in own else parent
        np.testing.assert_array_equal(adopted.tensors[name], source.tensors[name])
    assert parent.tensors["own.memory.observations.pixels"].dtype == np.uint8
    assert len(parent.tensors["own.memory.cut"]) == 2 * 13


def test_who_does_not_remember_pays_nothing():
    """No memory, no feedback: neither in the state nor in the checkpoint; and a memory may be left out of it."""
    state = after(Walk())
    assert state.memory is None
    assert state.interaction.last == {}
    saved = Walk().save(state).tensors
    assert {name for name in saved if name.startswith("own.")} == {"own.places", "own.fresh", "own.running"}
    task = Recall(saves_memory=False)
    assert not any(name.startswith("own.memory") for name in task.save(after(task)).tensors)


def test_auxiliary_losses_are_learned_from():
    """They change the weights, and are among the metrics."""
    with_it, without = Recall(), Recall()
    states = [task.init(Stream(0), H) for task in (with_it, without)]
    states[1].agent.auxiliary = lambda memory, coefficients, rng: (torch.zeros(()), {})
    for state in states:
        with_it.step(state, H, 4 * 40, Stream(1))
    assert states[0].metrics["value_replay"] > 0
    assert not torch.equal(states[0].agent.value.weight, states[1].agent.value.weight)


class Fixed(Fleeting):
    """The first environment's episodes take two steps and are worth 1, the others' ten and are worth 5, whatever is done."""

    def begin(self, seed):
        self.clock = np.zeros(self.batch, np.int64)

    def step(self, actions):
        self.taken += self.batch
        self.clock += 1
        lengths = np.where(np.arange(self.batch) == 0, 2, 10)
        ended = self.clock >= lengths
        self.clock[ended] = 0
        return np.where(ended, np.where(lengths == 2, 1.0, 5.0), 0.0), ended


def played(environments, episodes, limit):
    return play(agent(), environments, episodes, limit, Stream(0), clip_rewards=True)


def test_short_episodes_weigh_no_more_than_long_ones():
    """Of the first six to finish, five would be the short environment's."""
    environments = Fixed(3)
    result = played(environments, 6, limit=1000)
    assert result.returns == (1.0, 1.0, 5.0, 5.0, 5.0, 5.0)
    assert result.cut == 0
    assert environments.taken == 3 * 20
    assert played(Fixed(3), 7, limit=1000).returns == (1.0,) * 3 + (5.0,) * 6  # rounded up


def test_a_cap_that_binds_is_told():
    """The running episode counts with what it has; those that never began do not."""
    result = played(Fixed(3), 6, limit=13)
    assert result.returns == (1.0, 1.0, 5.0, 0.0, 5.0, 0.0)
    assert (result.cut, result.score().metrics["cut_episodes"]) == (2, 2.0)
    assert played(Fixed(3), 6, limit=10).returns == (1.0, 1.0, 5.0, 5.0)  # the next ones had not begun


class Dropped(Fixed):
    """The first episode of each environment breaks off."""

    def begin(self, seed):
        super().begin(seed)
        self.lost = False

    def step(self, actions):
        rewards, ended = super().step(actions)
        if not self.lost:
            self.lost, self.clock[:] = True, 0
            return np.full(self.batch, np.nan), np.ones(self.batch, np.bool_)
        return rewards, ended


def test_a_void_episode_is_played_again():
    """It has no return."""
    assert played(Dropped(2), 2, limit=100).returns == (1.0, 5.0)


@pytest.mark.parametrize(
    "task", [Walk(report_episodes=10), Recall(report_episodes=10, resumable=False)], ids=["saved", "not"]
)
def test_the_report_is_of_new_episodes_and_leaves_the_member_as_it_was(task):
    """Twelve, in four environments; the same for the same seed; others for another; the member trains on unmoved."""
    state = after(task)
    before = digest(task.save(state))
    scores = [task.report(state, Stream(seed).child("report")) for seed in (0, 0, 1)]
    assert scores[0] == scores[1]
    assert len(scores[0].samples) == 12
    assert scores[0].value == pytest.approx(np.mean(scores[0].samples))
    assert scores[0].metrics == {"episodes": 12.0, "cut_episodes": 0.0}
    assert digest(task.save(state)) == before
    assert digest(task.save(task.step(state, H, 4 * 11, Stream(5)))) == digest(
        task.save(task.step(after(task), H, 4 * 11, Stream(5)))
    )


def test_a_report_that_the_limit_cuts_says_so():
    """With a limit below an episode's length, what has been collected counts."""
    task = Walk(report_episodes=4, report_steps=2)
    score = task.report(after(task), Stream(0))
    assert score.samples == (0.0,) * 4
    assert score.metrics == {"episodes": 4.0, "cut_episodes": 4.0}


def test_intervals_that_the_environments_cannot_share_are_refused_before_any_work():
    """Any unroll fits; the batch has to."""
    Walk(unroll=7).prepare(Plan(population=2, steps=88, interval=44))
    for key, plan in (("interval", Plan(2, 88, 22)), ("steps", Plan(2, 90, 44))):
        with pytest.raises(ConfigError, match=rf"{key} = \d+ must be a multiple of task.batch = 4"):
            Walk().prepare(plan)
