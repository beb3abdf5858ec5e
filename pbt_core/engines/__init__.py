"""Engines: ways to carry a run out. All of them drive the same Driver; see ``pbt_core.engines.base``."""

from pbt_core.engines.base import Engine
from pbt_core.engines.batched import Batched
from pbt_core.engines.cluster import Cluster, Durations, IntervalTimes, Preemption, RandomPreemptions
from pbt_core.engines.leased import Leased
from pbt_core.engines.processes import Processes
from pbt_core.engines.ray import Ray
from pbt_core.engines.serial import Serial
from pbt_core.engines.simulated import Simulated
from pbt_core.engines.worker import Worker, current_worker

__all__ = [
    "Batched",
    "Cluster",
    "Durations",
    "Engine",
    "IntervalTimes",
    "Leased",
    "Preemption",
    "Processes",
    "RandomPreemptions",
    "Ray",
    "Serial",
    "Simulated",
    "Worker",
    "current_worker",
]
