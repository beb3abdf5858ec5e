"""What is trained: a task is a few functions, and a state whose form is up to the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pbt_core.seeds import Stream
from pbt_core.space import Hyperparameters, Space
from pbt_core.store import Checkpoint

State = TypeVar("State")


@dataclass(frozen=True)
class Score:
    """The result of an evaluation.

    value: what selects; larger is better (return ``-loss`` to minimise). A non-finite value marks the member as diverged.
    samples: repeated measurements behind the value, oldest first (episodic returns), for statistical exploiters.
    held_out: the same measure on data that selects nothing; this is the number to report. None where there is none.
    metrics: further numbers, by name.
    """

    value: float
    samples: tuple[float, ...] = ()
    held_out: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


class Task(Protocol[State]):
    """One member's work. Instances are sent to worker processes, so they must be picklable: settings in, data lazily.

    Rules that ``pbt_core.testing.check_task`` checks:

    * ``hyperparameters`` given to ``step`` rule over whatever a loaded state brings along (an optimiser's learning rate).
    * All randomness comes from the given ``seed``; the same state, hyperparameters and seed give the same bits.
    * ``load(save(state))`` continues exactly like ``state``.
    * What ``save`` names ``own.*`` stays with the member when it copies another's weights (see ``Checkpoint``); a member
      that failed has nothing left of its own and takes its parent's.
    * A method ``close(state)`` is optional: it is called for every state that is needed no more, in order at the end of a run
      too, and what it raises is ignored.
    * ``evaluate`` does not change the state. ``step`` may change it in place and return it.
    """

    @property
    def space(self) -> Space:
        """What is searched; the same for all members and for the whole run."""
        ...

    def init(self, seed: Stream, hyperparameters: Hyperparameters) -> State:
        """Fresh weights, drawn from ``seed``."""
        ...

    def step(self, state: State, hyperparameters: Hyperparameters, steps: int, seed: Stream) -> State:
        """``state`` after ``steps`` more training steps with these hyperparameters; draws come from ``seed``."""
        ...

    def evaluate(self, state: State, seed: Stream) -> Score:
        """How good the state is, at the end of every interval. It draws from ``seed`` and leaves the state as it is."""
        ...

    def save(self, state: State) -> Checkpoint:
        """All that ``load`` needs to go on exactly here: weights, optimiser, counters, buffers."""
        ...

    def load(self, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> State:
        """The state that was saved: this member's own, or a parent's, to be trained with other hyperparameters."""
        ...


class PopulationTask(Task[State], Protocol[State]):
    """A task that can also train several members as one program, in its population form.

    What it leaves must be what ``step`` leaves for each member, up to rounding: see ``pbt_core.testing.check_population``.
    """

    def step_all(
        self,
        states: Sequence[State],
        hyperparameters: Sequence[Hyperparameters],
        steps: int,
        seeds: Sequence[Stream],
    ) -> Sequence[State]:
        """As ``step`` for each of the members, in their order."""
        ...


AnyTask = Task[Any]
"""A task whatever its state is."""
