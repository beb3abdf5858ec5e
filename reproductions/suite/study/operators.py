"""What search methods are made of, as data: exploit, explore and schedules, validated, and the objects they stand for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from baselines import Annealed, Fixed, Noam, Schedule
from pbt_core import PAPER_FACTORS, BinaryTournament, Compose, Noise, Nudge, Perturb, Resample, Truncation
from pbt_core import WelchTTest as Welch
from pbt_core.exploit import Exploit
from pbt_core.explore import Explore


def _numeric(value: Any) -> Any:
    """Neither true nor "2" is a number, whatever it could be read as."""
    if isinstance(value, bool | str):
        raise PydanticCustomError("number", "input should be a number")
    return value


Real = Annotated[float, BeforeValidator(_numeric), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_numeric)]
#: Lists stand for tuples; the space says what each name may be.
Values = dict[str, float | int | str | bool | list[Any] | None]


class Spec(BaseModel):
    """The base of everything that a configuration describes: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TruncationSpec(Spec):
    kind: Literal["truncation"]
    fraction: Real = Field(0.2, gt=0, le=0.5)

    def build(self) -> Exploit:
        return Truncation(self.fraction)


class WelchSpec(Spec):
    kind: Literal["welch_t_test"]
    level: Real = Field(0.05, gt=0, lt=1)
    window: Whole = Field(10, ge=2)
    over: Literal["samples", "evaluations"] = "samples"

    def build(self) -> Exploit:
        return Welch(self.level, self.window, self.over)


class TournamentSpec(Spec):
    kind: Literal["binary_tournament"]

    def build(self) -> Exploit:
        return BinaryTournament()


class PerturbSpec(Spec):
    kind: Literal["perturb"]
    factors: tuple[Real, ...] = PAPER_FACTORS

    def build(self) -> Explore:
        return Perturb(self.factors)


class ResampleSpec(Spec):
    kind: Literal["resample"]
    probability: Real = Field(0.25, ge=0, le=1)

    def build(self) -> Explore:
        return Resample(self.probability)


class NudgeSpec(Spec):
    kind: Literal["nudge"]
    share: Real = Field(0.1, gt=0, le=1)

    def build(self) -> Explore:
        return Nudge(self.share)


class NoiseSpec(Spec):
    kind: Literal["noise"]
    scale: Real = Field(gt=0)

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
    hold: Whole = Field(ge=0)
    end: Whole = Field(ge=1)
    decay: Literal["exponential", "linear"] = "exponential"
    final: Real = Field(0.01, gt=0, le=1)
    only: tuple[str, ...] = ()

    def build(self) -> Schedule:
        return Annealed(self.values, self.hold, self.end, self.decay, self.final, self.only)


class NoamSpec(Spec):
    kind: Literal["noam"]
    values: Values
    name: str = "lr"
    peak: Real = Field(gt=0)
    warmup: Whole = Field(ge=1)
    lead: Whole = Field(ge=1)

    def build(self) -> Schedule:
        return Noam(self.values, self.name, self.peak, self.warmup, self.lead)


AnyExploit = Annotated[TruncationSpec | WelchSpec | TournamentSpec, Field(discriminator="kind")]
AnyExplore = Annotated[PerturbSpec | ResampleSpec | NudgeSpec | NoiseSpec, Field(discriminator="kind")]
AnySchedule = Annotated[FixedSpec | AnnealedSpec | NoamSpec, Field(discriminator="kind")]


def composed(specs: tuple[AnyExplore, ...]) -> Explore | None:
    """One explorer after another; None for none."""
    explorers = tuple(spec.build() for spec in specs)
    return explorers[0] if len(explorers) == 1 else Compose(explorers) if explorers else None
