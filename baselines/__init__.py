"""Search methods to compare PBT with: each a ``pbt_core.method.Method`` under the same budget."""

from baselines.bayesian import Bayesian
from baselines.fire import FirePBT
from baselines.genetic import Genetic
from baselines.halving import Halving
from baselines.multi_frequency import MultiFrequency
from baselines.pb2 import PB2
from baselines.random_schedules import RandomSchedules
from baselines.random_search import RandomSearch
from baselines.scheduled import Annealed, Fixed, Noam, Piecewise, Schedule, Scheduled, replay

__all__ = [
    "PB2",
    "Annealed",
    "Bayesian",
    "FirePBT",
    "Fixed",
    "Genetic",
    "Halving",
    "MultiFrequency",
    "Noam",
    "Piecewise",
    "RandomSchedules",
    "RandomSearch",
    "Schedule",
    "Scheduled",
    "replay",
]
