"""Engines: ways to carry a run out. All of them drive the same Driver; see ``pbt_core.engines.base``."""

from pbt_core.engines.base import Engine
from pbt_core.engines.cluster import Cluster, Durations, IntervalTimes, Preemption, RandomPreemptions
from pbt_core.engines.processes import Processes
from pbt_core.engines.serial import Serial
from pbt_core.engines.simulated import Simulated
from pbt_core.engines.worker import Worker, current_worker

__all__ = [
    "Cluster",
    "Durations",
    "Engine",
    "IntervalTimes",
    "Preemption",
    "Processes",
    "RandomPreemptions",
    "Serial",
    "Simulated",
    "Worker",
    "current_worker",
]
