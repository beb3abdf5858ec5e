"""The population form of the actor-critic: equal to the members' own training up to rounding, or refused in one line."""

import logging
from dataclasses import dataclass, field

import pytest
import torch
from corridor import SPACE, Corridor, Fleeting, Recall, Recaller, Walk
from test_rl import Reads
from torch import nn

from pbt_core import Integer, Space, Stream
from pbt_core.store import digest
from pbt_core.testing import check_population
from reproductions.shared.rl import batched
from reproductions.shared.rl.actor_critic import FeedForwardActorCritic, LstmActorCritic
from reproductions.shared.rl.batched import training
from reproductions.shared.rl.batched.trees import mapped, over_members, tensors
from reproductions.shared.rl.distributions import Categorical, Joint
from reproductions.shared.rl.gym import GymnasiumTask
from reproductions.shared.rl.networks import Perception

H = {"lr": 1e-3, "entropy_cost": 0.01, "unroll": 5}
SETS = {}


@dataclass(frozen=True, kw_only=True)
class Lockstep(Walk):
    """The same walk with a set of environments for each place. agent: which; two lengths of unroll, so that groups form.

    epsilon: RMSProp divides the rounding of gradients that are nearly zero by it, so a small one would need wide tolerances.
    """

    agent: type = LstmActorCritic
    epsilon: float = 1e-2
    space: Space = field(default_factory=lambda: Space({**SPACE, "unroll": Integer(4, 5)}))

    def own_environments(self, place):
        return SETS.setdefault(
            (self.batch, self.resumable, place), (Corridor if self.resumable else Fleeting)(self.batch)
        )

    def make_agent(self, environments):
        return self.agent(Perception(1, 24, 16), environments.actions, 16)


class Seeing(Recaller):
    """Sees its last action and reward, and remembers nothing."""

    def __init__(self, perception, actions, width):
        super().__init__(Corridor(2), remembers=0)


class Drawing(LstmActorCritic):
    """Draws in its step."""

    def features(self, observations):
        return super().features(observations) + torch.rand(16)


class Keeping(LstmActorCritic):
    """Has a state that is no weight."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.register_buffer("seen", torch.zeros(3))


class Choosing(LstmActorCritic):
    """Acts as it likes."""

    def act(self, observations, carried, rng):
        return super().act(observations, carried, rng)


@dataclass(frozen=True, kw_only=True)
class Descending(Lockstep):
    """With an optimiser that has no stacked form."""

    def make_optimizer(self, parameters):
        return torch.optim.SGD(parameters, lr=1.0)


@dataclass(frozen=True, kw_only=True)
class RecallInLockstep(Recall, Lockstep):
    """With a memory."""


@pytest.fixture
def programs(monkeypatch):
    """How many members each program had."""
    sizes = []
    train_together = training.train_together

    def counted(intervals, *arguments, **options):
        sizes.append(len(intervals))
        return train_together(intervals, *arguments, **options)

    monkeypatch.setattr(batched, "train_together", counted)
    return sizes


@pytest.mark.parametrize(
    "task",
    [
        Lockstep(),
        Lockstep(resumable=False),
        Lockstep(agent=FeedForwardActorCritic),
        Lockstep(agent=Seeing),
    ],
    ids=["resumed", "begun anew", "without memory", "with feedback"],
)
def test_each_member_is_trained_as_it_is_alone(task, programs):
    """All that is saved agrees to a relative 1e-4 or absolute 1e-6, whatever each one's values and draws.

    Members with the same unroll are one program, whose last rollout is shorter.
    """
    check_population(task, steps=4 * 13, members=5)
    assert sum(programs) >= 2 * 4
    assert max(programs) >= 3


@pytest.mark.parametrize("recurrent", [False, True])
def test_an_environment_of_gymnasium_has_the_form_at_once(recurrent, programs):
    """Each place has environments of its own."""
    task = GymnasiumTask(batch=4, width=16, recurrent=recurrent, epsilon=1e-2)
    check_population(task, steps=4 * 25)
    assert programs == [3, 3]


def interval(task, seed=0):
    state = task.init(Stream(seed), H)
    return batched.Interval(state, task.coefficients(H), 5, Stream(seed).child("step"))


REASONS = {
    "the agent Recaller learns from a replay memory": RecallInLockstep(),
    "the agent Choosing acts in a way of its own": Lockstep(agent=Choosing),
    "the agent Keeping keeps seen, which is no weight": Lockstep(agent=Keeping),
    "the agent Drawing cannot be mapped over weights: vmap: called random operation": Lockstep(agent=Drawing),
    "the optimiser SGD has no stacked form: only RMSprop, Adam have": Descending(),
    "there is one set of environments a process": Walk(),
}


@pytest.mark.parametrize("reason", REASONS)
def test_what_is_in_the_way_is_said_once_and_members_are_trained_one_by_one(reason, caplog, programs):
    """To the last bit as they are alone, random draws included."""
    task = REASONS[reason]
    batched._say.cache_clear()
    seeds = [Stream(1).child(m) for m in range(2)]
    states = [[task.init(Stream(0).child(m), H) for m in range(2)] for _ in range(2)]
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            torch.manual_seed(0)
            task.step_all(states[0], [H, H], 4 * 6, seeds)
    for _ in range(2):
        torch.manual_seed(0)
        alone = [task.step(state, H, 4 * 6, seed) for state, seed in zip(states[1], seeds, strict=True)]
    assert [digest(task.save(one)) for one in states[0]] == [digest(task.save(one)) for one in alone]
    (record,) = caplog.records
    assert record.message.startswith(f"members are trained one by one, not as one program: {reason}")
    assert "\n" not in record.message
    assert not programs


def test_members_of_different_unrolls_are_trained_as_ever_and_that_is_said(programs, caplog):
    """To the last bit."""
    batched._say.cache_clear()
    task = Lockstep()
    settings = [H, {**H, "unroll": 4}]
    seeds = [Stream(1).child(m) for m in range(2)]
    states = [[task.init(Stream(0).child(m), H) for m in range(2)] for _ in range(2)]
    together = task.step_all(states[0], settings, 4 * 6, seeds)
    alone = [task.step(*arguments, 4 * 6, seed) for *arguments, seed in zip(states[1], settings, seeds, strict=True)]
    assert [digest(task.save(one)) for one in together] == [digest(task.save(one)) for one in alone]
    assert not programs
    assert [record.message for record in caplog.records] == [
        "members are trained one by one, not as one program: no two of them have the same unroll"
    ]


def test_steps_that_the_environments_cannot_share_are_refused():
    """As in the training of one."""
    task = Lockstep()
    states = [task.init(Stream(m), H) for m in range(2)]
    with pytest.raises(ValueError, match="steps = 5 must be a multiple of the 4 environments"):
        task.step_all(states, [H, H], 5, [Stream(0), Stream(1)])


def test_no_step_and_no_update_reads_a_number_from_the_device():
    """As in the training of one: actions go to the environments, metrics are read once an interval."""
    task = Lockstep()
    states = [task.init(Stream(m), H) for m in range(2)]

    def reads(steps):
        with Reads() as mode:
            task.step_all(states, [H, H], steps, [Stream(0), Stream(1)])
        return mode.count

    reads(4 * 5)
    assert reads(4 * 30) == reads(4 * 5)


def test_gradients_are_cut_to_the_norm_of_each_member():
    """As torch cuts them; None where there is no gradient."""
    rng = torch.Generator().manual_seed(0)
    scale = torch.tensor([1e-3, 1.0, 30.0])
    gradients = [torch.randn(3, *shape, generator=rng) * scale.view(3, 1, 1) for shape in ((4, 2), (1, 5))]
    got = training.clipped([gradients[0], None, gradients[1]], 0.5)
    assert got[1] is None
    for member in range(3):
        parameters = [nn.Parameter(torch.zeros_like(gradient[member])) for gradient in gradients]
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient[member].clone()
        nn.utils.clip_grad_norm_(parameters, 0.5)
        for parameter, cut in zip(parameters, (got[0], got[2]), strict=True):
            torch.testing.assert_close(cut[member], parameter.grad)


def test_trees_keep_their_form():
    """Dataclasses, mappings, tuples and lists; what is no tensor stays."""
    parts = {"a": Categorical(torch.ones(2, 3)), "b": Categorical(torch.ones(2, 4), torch.ones(2, 4) > 0)}
    tree = [Joint(parts, "a", None), (torch.zeros(2), "name", None)]
    doubled = mapped(tree, lambda tensor: tensor.double())
    assert doubled[0].chooser == "a"
    assert doubled[0].parts["a"].mask is None
    assert doubled[1][1:] == ("name", None)
    assert [tensor.dtype for tensor in tensors(doubled)] == [torch.float64] * 4
    assert [tensor.shape[1:] for tensor in tensors(tree)] == [(3,), (4,), (4,), ()]


def test_a_call_is_mapped_over_members():
    """Also where it returns what is the same for all."""
    shared = torch.arange(3.0)
    call = lambda tree, factor: {"sum": (tree["x"] * factor).sum(), "shared": (shared, "name")}  # noqa: E731
    got = over_members(call, {"x": torch.ones(2, 5)}, torch.tensor([2.0, 3.0]))
    assert got["sum"].tolist() == [10.0, 15.0]
    assert got["shared"][0].tolist() == [shared.tolist()] * 2
    assert got["shared"][1] == "name"
