"""Search methods as data: what a configuration may say, validated, and the objects it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from baselines import Annealed, Fixed, Noam, RandomSearch, Schedule, Scheduled, replay
from pbt_core import PAPER_FACTORS, PBT, BinaryTournament, Compose, Method, Noise, Perturb, Resample, Truncation
from pbt_core import WelchTTest as Welch
from pbt_core.exploit import Exploit
from pbt_core.explore import Explore

Values = dict[str, float | int | str | bool]


class Spec(BaseModel):
    """The base of everything that a configuration describes: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TruncationSpec(Spec):
    kind: Literal["truncation"]
    fraction: float = Field(0.2, gt=0, le=0.5)

    def build(self) -> Exploit:
        return Truncation(self.fraction)


class WelchSpec(Spec):
    kind: Literal["welch_t_test"]
    level: float = Field(0.05, gt=0, lt=1)
    window: int = Field(10, ge=2)
    over: Literal["samples", "evaluations"] = "samples"

    def build(self) -> Exploit:
        return Welch(self.level, self.window, self.over)


class TournamentSpec(Spec):
    kind: Literal["binary_tournament"]

    def build(self) -> Exploit:
        return BinaryTournament()


class PerturbSpec(Spec):
    kind: Literal["perturb"]
    factors: tuple[float, ...] = PAPER_FACTORS

    def build(self) -> Explore:
        return Perturb(self.factors)


class ResampleSpec(Spec):
    kind: Literal["resample"]
    probability: float = Field(0.25, ge=0, le=1)

    def build(self) -> Explore:
        return Resample(self.probability)


class NoiseSpec(Spec):
    kind: Literal["noise"]
    scale: float = Field(gt=0)

    def build(self) -> Explore:
        return Noise(self.scale)


class FixedSpec(Spec):
    kind: Literal["fixed"]
    values: Values

    def build(self) -> Schedule:
        return Fixed(self.values)


class AnnealedSpec(Spec):
    kind: Literal["annealed"]
    values: Values
    hold: int = Field(ge=0)
    end: int = Field(ge=1)
    decay: Literal["exponential", "linear"] = "exponential"
    final: float = Field(0.01, gt=0, le=1)
    only: tuple[str, ...] = ()

    def build(self) -> Schedule:
        return Annealed(self.values, self.hold, self.end, self.decay, self.final, self.only)


class NoamSpec(Spec):
    kind: Literal["noam"]
    values: Values
    name: str = "lr"
    peak: float = Field(gt=0)
    warmup: int = Field(ge=1)
    lead: int = Field(ge=1)

    def build(self) -> Schedule:
        return Noam(self.values, self.name, self.peak, self.warmup, self.lead)


AnyExploit = Annotated[TruncationSpec | WelchSpec | TournamentSpec, Field(discriminator="kind")]
AnyExplore = Annotated[PerturbSpec | ResampleSpec | NoiseSpec, Field(discriminator="kind")]
AnySchedule = Annotated[FixedSpec | AnnealedSpec | NoamSpec, Field(discriminator="kind")]


class PBTSpec(Spec):
    """``explore`` is applied in its order; none and a null ``exploit`` are the toy's partial variants."""

    kind: Literal["pbt"]
    ready: int = Field(ge=1)
    warmup: int = Field(0, ge=0)
    exploit: AnyExploit | None = Field(default_factory=lambda: TruncationSpec.model_validate({"kind": "truncation"}))
    explore: tuple[AnyExplore, ...] = (PerturbSpec(kind="perturb"),)
    copies: tuple[Literal["weights", "hyperparameters"], ...] = Field(
        ("weights", "hyperparameters"), alias="copy", min_length=1
    )
    initial: tuple[Values, ...] = ()

    def build(self) -> Method:
        explorers = tuple(spec.build() for spec in self.explore)
        explore = explorers[0] if len(explorers) == 1 else Compose(explorers) if explorers else None
        return PBT(
            ready=self.ready,
            warmup=self.warmup,
            exploit=None if self.exploit is None else self.exploit.build(),
            explore=explore,
            copy_weights="weights" in self.copies,
            copy_hyperparameters="hyperparameters" in self.copies,
            initial=self.initial,
        )


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

    def build(self) -> Method:
        return replay(self.lineage)


AnyMethod = Annotated[PBTSpec | RandomSearchSpec | ScheduledSpec | ReplaySpec, Field(discriminator="kind")]

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
