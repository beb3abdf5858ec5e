"""How a run is carried out: by which engine, on how many workers and which devices. None of it is part of the settings.

To add an engine, write its dataclass and name it in ENGINES. Where it can be told what no other can, that is a field of it and
one of ``Execution``: options, messages and summaries follow from these.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import TYPE_CHECKING, Any

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from pbt_core import Batched, Leased, Processes, Ray, Serial, Simulated
from pbt_core.engines import Engine
from reproductions.suite.running.clusters import ClusterFile
from reproductions.suite.study import registry
from reproductions.suite.study.inputs import Checked, first_violation, shown
from reproductions.suite.study.registry import ConfigError

if TYPE_CHECKING:
    from reproductions.suite.study.settings import Settings

#: One device, or several of NVIDIA's cards.
DEVICES = r"cpu|mps|cuda|cuda:[0-9]{1,4}(,cuda:[0-9]{1,4})*"

#: What may be said of any engine; one that cannot use it passes it over, but for a time limit that nobody would keep.
COMMON = ("engine", "workers", "device", "threads", "timeout")


def _option(metavar: str, help: str, **rules: Any) -> Any:
    """A key that not all engines know, with what `run --help` says of it."""
    return Field(None, description=help, json_schema_extra={"metavar": metavar}, **rules)


class Execution(Checked):
    """How a run is carried out. A run may go on with another execution where its ``numerics`` are the same.

    Which engines know a key that is not COMMON is said by the fields of their dataclasses.

    engine: a key of ENGINES. workers: processes; None for one a device, or one a core where there are no accelerators.
    device: "cpu", "mps", "cuda" (all cards that are visible), "cuda:1" or "cuda:0,cuda:1"; members are spread over several.
    threads: of numerical libraries in each worker. timeout: seconds after which an interval counts as hung.
    The others are described where they are declared.
    """

    engine: str
    workers: int | None = Field(None, ge=1, le=1024)
    device: str = Field("cpu", max_length=1000)
    threads: int = Field(1, ge=1, le=1024)
    timeout: float | None = Field(None, gt=0, le=1_000_000)
    lease: float | None = _option(
        "SECONDS", "silence after which a worker is taken over (default: 60)", gt=0.1, le=1_000_000
    )
    address: str | None = _option(
        "A", "the cluster, as for ray.init (default: a Ray of this machine)", min_length=1, max_length=1000
    )
    gpus: float | None = _option(
        "G", "a worker's part of a card, such as 0.25 (default: 1 with --device cuda)", gt=0, le=1024
    )
    cluster: ClusterFile | None = _option("FILE", "its virtual workers (see config/clusters)")
    staleness: int | None = _option(
        "B", "with --no-sync: how far a member may be ahead of the slowest, in intervals (default: any)", ge=1, le=2**53
    )

    @model_validator(mode="after")
    def _can_be(self) -> Execution:
        if self.engine not in ENGINES:
            raise ValueError(f"engine = {shown(self.engine)} must be one of {list(ENGINES)}")
        names = self.device.split(",")
        if not re.fullmatch(DEVICES, self.device) or len(set(names)) < len(names):
            rule = "must be cpu, mps, cuda (all that are visible), cuda:N or different ones such as cuda:0,cuda:1"
            raise ValueError(f"device = {shown(self.device)} {rule}")
        if self.timeout is not None and self.engine not in knowing("timeout"):
            rule = f"needs an engine of {knowing('timeout')}: {self.engine!r} cannot be interrupted"
            raise ValueError(f"timeout = {self.timeout} {rule}")
        if len(names) > 1 and not self._kind.devices:
            several = _any_of([name for name, kind in ENGINES.items() if kind.devices])
            raise ValueError(
                f"device = {self.device!r} needs engine = {several}: the engine {self.engine!r} has one device"
            )
        for key in OWN:
            if getattr(self, key) is not None and self.engine not in knowing(key):
                raise ValueError(f"{key} needs engine = {_any_of(knowing(key))}")
        if self.gpus is not None and self.device == "cpu":
            raise ValueError(f"gpus = {self.gpus} needs device = 'cuda'")
        if self.shared and self.workers not in (None, 1):
            raise ValueError(f"workers = {self.workers}: with engine = {self.engine!r} start the command so many times")
        if self.workers not in (None, 1) and self.cluster is None and "workers" not in self._kind.keys:
            needed = _any_of(knowing("workers"))
            raise ValueError(f"workers = {self.workers} needs engine = {needed}: the engine {self.engine!r} has one")
        if self.engine == "simulated" and self.cluster is None:
            raise ValueError("engine = 'simulated' needs cluster: the file that describes its workers")
        if self.cluster is not None and self.cluster.per_step is None:
            raise ValueError("cluster.per_step is required: the virtual seconds of a training step")
        return self

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What belongs to another engine is left out."""
        data: dict[str, Any] = handler(self)
        return {key: value for key, value in data.items() if key in COMMON or self.engine in knowing(key)}

    @property
    def _kind(self) -> EngineKind:
        return ENGINES[self.engine]

    @property
    def shared(self) -> bool:
        """Whether several processes may carry the same run out at once."""
        return self._kind.shared

    def check(self, settings: Settings) -> None:
        """ConfigError unless a run of these settings can be carried out so."""
        if self.form == "batched" and not hasattr(registry.task_class(settings.domain), "step_all"):
            raise ConfigError(f"engine = 'batched': {settings.domain} has no population form: use another engine")
        if self.staleness is not None and settings.synchronous:
            raise ConfigError(f"staleness = {self.staleness} needs --no-sync: synchronous members are never ahead")
        if self.shared and settings.synchronous:
            raise ConfigError("engine = 'leased' has nobody who makes members wait for each other: needs --no-sync")
        if self.shared and settings.stop is not None and settings.stop.seconds is not None:
            raise ConfigError(
                f"stop.seconds = {settings.stop.seconds}: engine = 'leased' has no common clock: use stop.score"
            )

    @property
    def form(self) -> str:
        """Whether members are trained one by one ("member") or as one program ("batched"), which rounds otherwise."""
        return self._kind.form

    def build_engine(self, accelerators: tuple[str, ...]) -> Engine:
        """The engine; ``accelerators`` are the names that ``device`` stands for on this machine.

        ConfigError for what its declaration refuses.
        """
        said = {key: getattr(self, key) for key in type(self).model_fields if key in self._kind.keys}
        given = {key: value for key, value in said.items() if value is not None}
        try:
            return self._kind.type(**{**given, **self._kind.placed(self, accelerators)})
        except ValueError as error:
            raise ConfigError(f"engine = {self.engine!r}: {error}") from None


def _first_device(execution: Execution, accelerators: tuple[str, ...]) -> dict[str, Any]:
    return {"devices": accelerators[:1]}


def _all_devices(execution: Execution, accelerators: tuple[str, ...]) -> dict[str, Any]:
    return {"workers": execution.workers or len(accelerators) or None, "devices": accelerators}


def _part_of_a_card(execution: Execution, accelerators: tuple[str, ...]) -> dict[str, Any]:
    return {"cpus": float(execution.threads), "gpus": execution.gpus or (1.0 if accelerators else 0.0)}


def _virtual(execution: Execution, accelerators: tuple[str, ...]) -> dict[str, Any]:
    assert execution.cluster is not None, "checked above"
    return {"cluster": execution.cluster.cluster(1.0), **_first_device(execution, accelerators)}


@dataclass(frozen=True)
class EngineKind:
    """An engine. It is given what an execution says under the names of its dataclass's fields.

    placed: what it is given otherwise, by field, from an execution and the accelerators of this machine.
    devices: whether it spreads members over several. shared: whether several processes may carry one run out at once.
    form: whether members are trained one by one ("member") or as one program ("batched").
    """

    type: Callable[..., Engine]
    placed: Callable[[Execution, tuple[str, ...]], dict[str, Any]] = _first_device
    devices: bool = False
    shared: bool = False
    form: str = "member"

    @cached_property
    def keys(self) -> frozenset[str]:
        """The names of its fields."""
        return frozenset(signature(self.type).parameters)


#: The engines by their names: each is declared here once.
ENGINES: Mapping[str, EngineKind] = {
    "serial": EngineKind(Serial),
    "processes": EngineKind(Processes, _all_devices, devices=True),
    "batched": EngineKind(Batched, form="batched"),
    "leased": EngineKind(Leased, shared=True),
    "ray": EngineKind(Ray, _part_of_a_card),
    "simulated": EngineKind(Simulated, _virtual),
}
#: What only some engines know.
OWN = tuple(key for key in Execution.model_fields if key not in COMMON)


def knowing(key: str) -> list[str]:
    """The engines that know a key of an execution."""
    return [name for name, kind in ENGINES.items() if key in kind.keys]


def _any_of(names: list[str]) -> str:
    return " or ".join(map(repr, names))


def resolve_execution(domain: str, scale: str, **chosen: Any) -> Execution:
    """The execution that the domain's scale declares, with what was ``chosen`` instead; None leaves the scale's value.

    ConfigError in one line with the key, the value and the rule. What is on this machine is not looked at.
    """
    declared = dataclasses.asdict(registry.sweep(domain).SCALES[scale])
    data = {key: declared[key] for key in Execution.model_fields if key in declared}
    data |= {key: value for key, value in chosen.items() if value is not None}
    if chosen.get("workers") is None and data["engine"] not in knowing("workers") and data["workers"] != 1:
        data["workers"] = None  # those that the scale declares are of another engine
    if isinstance(cluster := data.get("cluster"), ClusterFile):
        if chosen.get("workers") is not None:
            raise ConfigError(f"workers = {shown(chosen['workers'])}: those of a simulated run are its cluster's")
        data["workers"] = len(cluster.speed_of_each)
    try:
        return Execution.model_validate(data, strict=True)
    except ValidationError as error:
        raise ConfigError(first_violation(error)) from None


__all__ = ["ENGINES", "OWN", "EngineKind", "Execution", "knowing", "resolve_execution"]
