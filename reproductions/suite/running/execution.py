"""How a run is carried out: by which engine, on how many workers and which devices. None of it is part of the settings."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

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
from reproductions.suite.study.inputs import first_violation, shown
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.settings import Checked, Settings

#: One device, or several of NVIDIA's cards.
DEVICES = r"cpu|mps|cuda|cuda:[0-9]{1,4}(,cuda:[0-9]{1,4})*"

#: Engines that can end an interval which hangs.
INTERRUPTIBLE = ("processes", "leased", "ray")
#: What only one engine knows.
OF_ONE_ENGINE = {
    "lease": "leased",
    "address": "ray",
    "gpus": "ray",
    "cluster": "simulated",
    "staleness": "simulated",
}


class Execution(Checked):
    """How a run is carried out. A run may go on with another execution where its ``numerics`` are the same.

    engine: a key of ENGINES. workers: processes; None for one a device, or one a core where there are no accelerators.
    device: "cpu", "mps", "cuda" (all cards that are visible), "cuda:1" or "cuda:0,cuda:1"; members are spread over several.
    threads: of numerical libraries in each worker. timeout: seconds after which an interval counts as hung.
    lease: of the engine "leased", seconds without a sign of life after which a worker is taken over.
    address: of the engine "ray", the cluster; None for a Ray of this machine. gpus: of "ray", what each worker has of a card,
    such as 0.25 (None: a whole one if ``device`` is one).
    cluster: the virtual workers of engine "simulated", whose number is then ``workers``. staleness: how many intervals a
    member may be ahead of the slowest there, in asynchronous mode; None for any number.
    """

    engine: str
    workers: int | None = Field(None, ge=1, le=1024)
    device: str = Field("cpu", max_length=1000)
    threads: int = Field(1, ge=1, le=1024)
    timeout: float | None = Field(None, gt=0, le=1_000_000)
    lease: float | None = Field(None, gt=0.1, le=1_000_000)
    address: str | None = Field(None, min_length=1, max_length=1000)
    gpus: float | None = Field(None, gt=0, le=1024)
    cluster: ClusterFile | None = None
    staleness: int | None = Field(None, ge=1, le=2**53)

    @model_validator(mode="after")
    def _can_be(self) -> Execution:
        if self.engine not in ENGINES:
            raise ValueError(f"engine = {shown(self.engine)} must be one of {list(ENGINES)}")
        names = self.device.split(",")
        if not re.fullmatch(DEVICES, self.device) or len(set(names)) < len(names):
            rule = "must be cpu, mps, cuda (all that are visible), cuda:N or different ones such as cuda:0,cuda:1"
            raise ValueError(f"device = {shown(self.device)} {rule}")
        if self.engine not in INTERRUPTIBLE and self.timeout is not None:
            rule = f"needs an engine of {list(INTERRUPTIBLE)}: {self.engine!r} cannot be interrupted"
            raise ValueError(f"timeout = {self.timeout} {rule}")
        if self.engine != "processes" and len(names) > 1:
            raise ValueError(
                f"device = {self.device!r} needs engine = 'processes': the engine {self.engine!r} has one device"
            )
        for key, engine in OF_ONE_ENGINE.items():
            if self.engine != engine and getattr(self, key) is not None:
                raise ValueError(f"{key} needs engine = {engine!r}")
        if self.gpus is not None and self.device == "cpu":
            raise ValueError(f"gpus = {self.gpus} needs device = 'cuda'")
        if self.engine == "leased" and self.workers not in (None, 1):
            raise ValueError(f"workers = {self.workers}: with engine = 'leased' start the command so many times")
        if self.engine == "simulated" and self.cluster is None:
            raise ValueError("engine = 'simulated' needs cluster: the file that describes its workers")
        if self.cluster is not None and self.cluster.per_step is None:
            raise ValueError("cluster.per_step is required: the virtual seconds of a training step")
        return self

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What belongs to another engine is left out."""
        data: dict[str, Any] = handler(self)
        return {key: value for key, value in data.items() if OF_ONE_ENGINE.get(key, self.engine) == self.engine}

    @property
    def shared(self) -> bool:
        """Whether several processes may carry the same run out at once."""
        return self.engine == "leased"

    def check(self, settings: Settings) -> None:
        """ConfigError unless a run of these settings can be carried out so."""
        if self.form == "batched" and not hasattr(registry.task_class(settings.domain), "step_all"):
            raise ConfigError(f"engine = 'batched': {settings.domain} has no population form: use another engine")
        if self.shared and settings.synchronous:
            raise ConfigError("engine = 'leased' has nobody who makes members wait for each other: needs --no-sync")
        if self.shared and settings.stop is not None and settings.stop.seconds is not None:
            raise ConfigError(
                f"stop.seconds = {settings.stop.seconds}: engine = 'leased' has no common clock: use stop.score"
            )

    @property
    def form(self) -> str:
        """Whether members are trained one by one ("member") or as one program ("batched"), which rounds otherwise."""
        return "batched" if self.engine == "batched" else "member"

    def build_engine(self, accelerators: tuple[str, ...]) -> Engine:
        """The engine; ``accelerators`` are the names that ``device`` stands for on this machine."""
        return ENGINES[self.engine](self, accelerators)


def _serial(execution: Execution, accelerators: tuple[str, ...]) -> Engine:
    return Serial(threads=execution.threads, devices=accelerators[:1])


def _batched(execution: Execution, accelerators: tuple[str, ...]) -> Engine:
    return Batched(threads=execution.threads, devices=accelerators[:1])


def _processes(execution: Execution, accelerators: tuple[str, ...]) -> Engine:
    workers = execution.workers or len(accelerators) or None
    return Processes(workers, execution.timeout, execution.threads, accelerators)


def _leased(execution: Execution, accelerators: tuple[str, ...]) -> Engine:
    lease = Leased().lease if execution.lease is None else execution.lease
    return Leased(lease, execution.timeout, execution.threads, accelerators[:1])


def _ray(execution: Execution, accelerators: tuple[str, ...]) -> Engine:
    gpus = execution.gpus or (1.0 if accelerators else 0.0)
    return Ray(
        execution.workers,
        cpus=float(execution.threads),
        gpus=gpus,
        address=execution.address,
        timeout=execution.timeout,
        threads=execution.threads,
    )


def _simulated(execution: Execution, accelerators: tuple[str, ...]) -> Engine:
    assert execution.cluster is not None, "checked above"
    return Simulated(execution.cluster.cluster(1.0), execution.staleness, execution.threads, accelerators[:1])


#: How each engine is made from an execution and the accelerators of this machine.
ENGINES: Mapping[str, Callable[[Execution, tuple[str, ...]], Engine]] = {
    "serial": _serial,
    "processes": _processes,
    "batched": _batched,
    "leased": _leased,
    "ray": _ray,
    "simulated": _simulated,
}


def resolve_execution(domain: str, scale: str, **chosen: Any) -> Execution:
    """The execution that the domain's scale declares, with what was ``chosen`` instead; None leaves the scale's value.

    ConfigError in one line with the key, the value and the rule. What is on this machine is not looked at.
    """
    declared = dataclasses.asdict(registry.sweep(domain).SCALES[scale])
    data = {key: declared[key] for key in Execution.model_fields if key in declared}
    data |= {key: value for key, value in chosen.items() if value is not None}
    if isinstance(cluster := data.get("cluster"), ClusterFile):
        if chosen.get("workers") is not None:
            raise ConfigError(f"workers = {shown(chosen['workers'])}: those of a simulated run are its cluster's")
        data["workers"] = len(cluster.speed_of_each)
    try:
        return Execution.model_validate(data, strict=True)
    except ValidationError as error:
        raise ConfigError(first_violation(error)) from None


__all__ = ["ENGINES", "Execution", "resolve_execution"]
