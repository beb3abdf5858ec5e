"""Search methods as data: what a configuration may say, validated, and the objects it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from baselines import PB2, Bayesian, Genetic, Halving, RandomSearch, Scheduled, replay
from pbt_core import PBT, Compose, Method
from reproductions.suite.study.operators import (
    AnyExploit,
    AnyExplore,
    AnySchedule,
    PerturbSpec,
    ResampleSpec,
    Spec,
    TruncationSpec,
    Values,
    Whole,
    composed,
)


class _PBTFields(Spec):
    """``explore`` is applied in its order; none and a null ``exploit`` are the toy's partial variants."""

    ready: Whole = Field(ge=1)
    warmup: Whole = Field(0, ge=0)
    until: Whole | None = Field(None, ge=0)
    exploit: AnyExploit | None = Field(default_factory=lambda: TruncationSpec.model_validate({"kind": "truncation"}))
    explore: tuple[AnyExplore, ...] = (PerturbSpec(kind="perturb"),)
    copies: tuple[Literal["weights", "hyperparameters"], ...] = Field(
        ("weights", "hyperparameters"), alias="copy", min_length=1
    )
    initial: tuple[Values, ...] = ()

    def pbt(self) -> PBT:
        return PBT(
            ready=self.ready,
            warmup=self.warmup,
            until=self.until,
            exploit=None if self.exploit is None else self.exploit.build(),
            explore=composed(self.explore),
            copy_weights="weights" in self.copies,
            copy_hyperparameters="hyperparameters" in self.copies,
            initial=self.initial,
        )


class PBTSpec(_PBTFields):
    kind: Literal["pbt"]

    def build(self) -> Method:
        return self.pbt()


class PB2Spec(_PBTFields):
    """``explore`` is for what the model leaves alone."""

    kind: Literal["pb2"]
    window: Whole = Field(100, ge=2)
    startup: Whole = Field(10, ge=2)
    candidates: Whole = Field(500, ge=1)

    def build(self) -> Method:
        return PB2(self.pbt(), self.window, self.startup, self.candidates)


class BayesianSpec(Spec):
    kind: Literal["bayesian"]
    sampler: Literal["tpe", "gp"]
    trial: Whole = Field(ge=1)
    startup: Whole = Field(10, ge=1)
    initial: tuple[Values, ...] = ()

    def build(self) -> Method:
        return Bayesian(self.sampler, self.trial, self.startup, self.initial)


class HalvingSpec(Spec):
    kind: Literal["halving"]
    pruner: Literal["asha", "hyperband"]
    trial: Whole = Field(ge=1)
    rung: Whole = Field(ge=1)
    factor: Whole = Field(3, ge=2)
    initial: tuple[Values, ...] = ()

    def build(self) -> Method:
        return Halving(self.pruner, self.trial, self.rung, self.factor, self.initial)


class GeneticSpec(Spec):
    kind: Literal["genetic"]
    trial: Whole = Field(ge=1)
    mutation: tuple[AnyExplore, ...] = (ResampleSpec(kind="resample", probability=0.25), PerturbSpec(kind="perturb"))
    initial: tuple[Values, ...] = ()

    def build(self) -> Method:
        return Genetic(self.trial, composed(self.mutation) or Compose(()), self.initial)


class RandomSearchSpec(Spec):
    kind: Literal["random_search"]
    initial: tuple[Values, ...] = ()

    def build(self) -> Method:
        return RandomSearch(self.initial)


class ScheduledSpec(Spec):
    kind: Literal["scheduled"]
    schedules: tuple[AnySchedule, ...] = Field(min_length=1)

    def build(self) -> Method:
        return Scheduled(tuple(spec.build() for spec in self.schedules))


class ReplaySpec(Spec):
    kind: Literal["replay"]
    lineage: Path
    mode: Literal["schedule", "final", "shuffled"] = "schedule"

    def build(self) -> Method:
        return replay(self.lineage, self.mode)


AnyMethod = Annotated[
    PBTSpec | PB2Spec | BayesianSpec | HalvingSpec | GeneticSpec | RandomSearchSpec | ScheduledSpec | ReplaySpec,
    Field(discriminator="kind"),
]

#: One description of each kind of method: what the contract tests run through.
EXAMPLES: Mapping[str, Mapping[str, object]] = {
    "pbt": {"kind": "pbt", "ready": 20},
    "pbt, t-test": {"kind": "pbt", "ready": 20, "exploit": {"kind": "welch_t_test"}},
    "pbt, t-test over evaluations": {
        "kind": "pbt",
        "ready": 20,
        "exploit": {"kind": "welch_t_test", "over": "evaluations", "window": 4},
    },
    "pbt, tournament": {"kind": "pbt", "ready": 20, "exploit": {"kind": "binary_tournament"}},
    "pbt, weights only": {"kind": "pbt", "ready": 20, "copy": ["weights"], "explore": []},
    "pbt, hyperparameters only": {"kind": "pbt", "ready": 20, "copy": ["hyperparameters"]},
    "pbt, resample then perturb": {
        "kind": "pbt",
        "ready": 20,
        "explore": [{"kind": "perturb", "factors": [1.2, 1 / 1.2]}, {"kind": "resample"}],
    },
    "explore only": {"kind": "pbt", "ready": 20, "exploit": None, "explore": [{"kind": "noise", "scale": 0.1}]},
    "pbt, nudge": {"kind": "pbt", "ready": 20, "explore": [{"kind": "nudge", "share": 0.2}]},
    "pbt, a known setting": {"kind": "pbt", "ready": 20, "initial": [{"lr": 0.1}]},
    "pbt until a step": {"kind": "pbt", "ready": 20, "until": 40},
    "pb2": {"kind": "pb2", "ready": 20, "startup": 4},
    "bayesian, tpe": {"kind": "bayesian", "sampler": "tpe", "trial": 20, "startup": 5},
    "bayesian, gp": {"kind": "bayesian", "sampler": "gp", "trial": 30, "startup": 12},
    "halving, asha": {"kind": "halving", "pruner": "asha", "trial": 40, "rung": 10, "factor": 2},
    "halving, hyperband": {"kind": "halving", "pruner": "hyperband", "trial": 40, "rung": 10, "factor": 2},
    "genetic": {"kind": "genetic", "trial": 20},
    "random search": {"kind": "random_search"},
    "fixed": {"kind": "scheduled", "schedules": [{"kind": "fixed", "values": {"lr": 0.1, "decay": 0.1}}]},
    "annealed": {
        "kind": "scheduled",
        "schedules": [{"kind": "annealed", "values": {"lr": 0.5, "decay": 0.5}, "hold": 20, "end": 60}],
    },
    "noam": {
        "kind": "scheduled",
        "schedules": [{"kind": "noam", "values": {"decay": 0.5}, "peak": 0.5, "warmup": 30, "lead": 5}],
    },
}
