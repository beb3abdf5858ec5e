"""Search methods to compare PBT with: each a ``pbt_core.method.Method`` under the same budget."""

from baselines.random_search import RandomSearch
from baselines.scheduled import Annealed, Fixed, Noam, Piecewise, Schedule, Scheduled, replay

__all__ = ["Annealed", "Fixed", "Noam", "Piecewise", "RandomSearch", "Schedule", "Scheduled", "replay"]
