"""What every actor-critic domain shares as a task: hyperparameters, training, scores, checkpoints, the final evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import nn

from pbt_core import Checkpoint, Hyperparameters, Plan, Score, Space, Stream
from pbt_core.store import OWN
from pbt_core.torch import pack, seeded, unpack
from reproductions.shared import device
from reproductions.shared.bounds import Count, Few, Positive, Share, check_memory
from reproductions.shared.rl import batched
from reproductions.shared.rl.agent import Agent
from reproductions.shared.rl.environments import Environments, Resumable
from reproductions.shared.rl.episodes import Episodes
from reproductions.shared.rl.evaluation import play
from reproductions.shared.rl.learner import Learner, train
from reproductions.suite.study.domain import TORCH_DEVICES, DomainTask
from reproductions.suite.study.registry import ConfigError

#: Hyperparameters with a meaning of their own; all others are coefficients of the loss.
LEARNING_RATE, UNROLL = "lr", "unroll"


@dataclass(frozen=True, kw_only=True)
class ActorCriticTask(DomainTask[Learner], ABC):
    """A step is one of the agent in one of the environments; a member is tuned for the mean of its last episodic returns.

    batch: environments. unroll: steps of each before an update, unless it is a hyperparameter. clip_rewards: learn from
    rewards cut to -1..1; returns are in full. clip_gradient: largest norm of a gradient. decay, epsilon: of RMSProp.
    report_episodes: of the final evaluation, rounded up to a multiple of ``batch``. report_steps: of each environment there,
    at most.

    A subclass gives ``space``, ``make_environments`` and ``make_agent``; the other methods may be overridden. Its fields
    are the domain's settings. ``space`` must hold ``lr``.
    """

    batch: Few = 16
    unroll: Count = 20
    clip_rewards: bool = True
    clip_gradient: Positive = 0.5
    decay: Share = 0.99
    epsilon: Positive = 1e-5
    report_episodes: Count = 100
    report_steps: Count = 25_000
    devices = TORCH_DEVICES
    #: The settings that are sizes of the agent: named where it is too large.
    _sizes: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:  # an attribute or a field of the subclass: a property here would stand in a field's way

        @property
        def space(self) -> Space: ...

    @abstractmethod
    def make_environments(self) -> Environments:
        """``batch`` environments. Called often: keep one set a process, which all its members use in turn (``cache``).

        ValueError, beginning with a setting's name, if they cannot be made.
        """

    def own_environments(self, place: int) -> Environments | None:
        """The set for the member in this place, 0, 1, ..., of those that train as one program, kept as that of all is.

        None where a process has but the one set: members are then trained one by one in any engine.
        """
        return None

    @abstractmethod
    def make_agent(self, environments: Environments) -> Agent:
        """An agent with random weights from torch's global generator, on the processor; it is moved to the device."""

    def make_optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """RMSProp, as A3C has it. Its learning rate is set before each interval."""
        return torch.optim.RMSprop(parameters, lr=1.0, alpha=self.decay, eps=self.epsilon)

    def coefficients(self, hyperparameters: Hyperparameters) -> dict[str, float]:
        """What weighs the parts of the loss: all hyperparameters but ``lr`` and ``unroll``.

        A subclass adds those that are settings where they are not searched for: ``{"entropy_cost": self.entropy_cost, **...}``.
        """
        return {name: float(value) for name, value in hyperparameters.items() if name not in (LEARNING_RATE, UNROLL)}

    def prepare(self, plan: Plan) -> None:
        """ConfigError if environments or agent cannot be made, or if intervals do not give each environment whole steps."""
        try:
            environments = self.make_environments()
            Episodes.none(self.batch)
        except ValueError as error:
            raise ConfigError(f"task.{error}") from None
        except MemoryError as error:
            raise ConfigError(
                f"task.batch = {self.batch} environments take more memory than there is: {error}"
            ) from None
        self._check_memory(environments, plan)
        for key, value in (("interval", plan.interval), ("steps", plan.steps)):
            if value % environments.batch:
                raise ConfigError(f"{key} = {value} must be a multiple of task.batch = {self.batch} environments")

    def _check_memory(self, environments: Environments, plan: Plan) -> None:
        """ConfigError if what is held between two updates, or the agent's weights, cannot fit this machine's memory."""
        steps = max(1, min(self.unroll, plan.interval // self.batch))
        observation = sum(array.zeros().nbytes for array in environments.observations.values())
        held = f"the observations of task.unroll = {self.unroll} steps in task.batch = {self.batch} environments"
        check_memory(held, steps * self.batch * observation)
        with torch.device("meta"):  # shapes alone
            agent = self.make_agent(environments)
        sizes = ", ".join(f"task.{name} = {getattr(self, name)}" for name in self._sizes)
        check_memory(f"the weights of an agent with {sizes}", sum(weight.nbytes for weight in agent.parameters()))

    def init(self, seed: Stream, hyperparameters: Hyperparameters) -> Learner:
        state = self._fresh(seed)
        environments = self.make_environments()
        if isinstance(environments, Resumable):
            environments.begin(seed.child("environments").integer())
            state.environments = environments.save()
        return state

    def step(self, state: Learner, hyperparameters: Hyperparameters, steps: int, seed: Stream) -> Learner:
        unroll = self._ruled(state, hyperparameters)
        environments, coefficients = self.make_environments(), self.coefficients(hyperparameters)
        return train(state, environments, coefficients, steps, unroll, seed, clip_gradient=self.clip_gradient)

    def step_all(
        self,
        states: Sequence[Learner],
        hyperparameters: Sequence[Hyperparameters],
        steps: int,
        seeds: Sequence[Stream],
    ) -> Sequence[Learner]:
        """The population form: members with the same unroll as one program, as far as environments and agent allow it."""
        members = zip(states, hyperparameters, seeds, strict=True)
        intervals = [
            batched.Interval(state, self.coefficients(values), self._ruled(state, values), seed)
            for state, values, seed in members
        ]
        make, own = self.make_environments, self.own_environments
        batched.train_all(intervals, steps, make, own, clip_gradient=self.clip_gradient)
        return states

    def _ruled(self, state: Learner, hyperparameters: Hyperparameters) -> int:
        """The unroll; the optimiser gets its learning rate."""
        for group in state.optimizer.param_groups:
            group["lr"] = float(hyperparameters[LEARNING_RATE])
        return int(hyperparameters.get(UNROLL, self.unroll))

    def evaluate(self, state: Learner, seed: Stream) -> Score:
        """Mean raw return of the last episodes: one set selects, another is reported; no further play is needed."""
        value, samples, reported = state.episodes.scores()
        metrics = {**state.metrics, "episodes": float(state.episodes.finished)}
        return Score(value, samples=samples, held_out=reported, metrics=metrics)

    def report(self, state: Learner, seed: Stream) -> Score:
        """The mean return of ``report_episodes`` new episodes, none of which selected anything; see ``play``.

        The state is left as it was. ``samples`` are the returns; ``cut_episodes`` in the metrics is not 0 if
        ``report_steps`` did not suffice.
        """
        environments, episodes = self.make_environments(), self.report_episodes
        played = play(state.agent, environments, episodes, self.report_steps, seed, clip_rewards=self.clip_rewards)
        return played.score()

    def save(self, state: Learner) -> Checkpoint:
        """Weights, optimiser, what is carried and the finished returns go to a child; running episodes and memory do not."""
        packed = pack(model=state.agent, optimizer=state.optimizer)
        interaction = state.interaction
        own = {
            **interaction.last,
            "fresh": interaction.fresh,
            "running": state.episodes.running,
        }
        if hidden := state.environments.keys() & own.keys():
            raise ValueError(f"environments save {sorted(hidden)}: names that the layer needs for itself")
        own |= state.environments
        if state.memory is not None and state.agent.saves_memory:
            own |= {_MEMORY + name: array for name, array in state.memory.save().items()}
        carried = {_CARRIED + name: value.cpu().numpy() for name, value in interaction.carried.items()}
        record = {
            "selecting": list(state.episodes.selecting),
            "reporting": list(state.episodes.reporting),
            "finished": state.episodes.finished,
            "metrics": dict(state.metrics),
        }
        tensors = {**packed.tensors, **carried, **{OWN + name: np.array(array) for name, array in own.items()}}
        return Checkpoint(tensors, {**packed.json, **record})

    def load(self, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> Learner:
        state = self._fresh(Stream(0))  # the weights are overwritten
        unpack(checkpoint, model=state.agent, optimizer=state.optimizer)
        own, interaction, record = _named(checkpoint.tensors, OWN), state.interaction, checkpoint.json
        interaction.fresh, running = own.pop("fresh"), own.pop("running")
        interaction.last = {name: own.pop(name) for name in interaction.last}
        carried = _named(checkpoint.tensors, _CARRIED)
        interaction.carried = {name: torch.from_numpy(a).to(state.agent.device) for name, a in carried.items()}
        if state.memory is not None and state.agent.saves_memory:
            state.memory.load(_named(own, _MEMORY))
        state.environments = {name: array for name, array in own.items() if not name.startswith(_MEMORY)}
        state.episodes = Episodes(running, list(record["selecting"]), list(record["reporting"]), record["finished"])
        state.metrics = dict(record["metrics"])
        return state

    def _fresh(self, seed: Stream) -> Learner:
        environments = self.make_environments()
        with seeded(seed):
            agent = self.make_agent(environments)
        agent.to(device.current())
        return Learner.new(agent, self.make_optimizer(agent.parameters()), environments, self.clip_rewards)


_CARRIED, _MEMORY = "carried.", "memory."


def _named(tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Copies of the arrays whose names begin with ``prefix``, which is left off."""
    return {name.removeprefix(prefix): np.array(a) for name, a in tensors.items() if name.startswith(prefix)}
