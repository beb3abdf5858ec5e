"""Population Based Training as a library: the algorithm, its engines, and the record of what happened.

Knows no domain, no plots and no tracker. Start with ``PBT``, ``Space``, ``Plan`` and an engine; see the README.
"""

from pbt_core.engines import Engine, Processes, Serial, Worker, current_worker
from pbt_core.errors import RunError
from pbt_core.exploit import BinaryTournament, Truncation, WelchTTest
from pbt_core.explore import DRIFT_FREE_FACTORS, PAPER_FACTORS, Compose, ExploreWarning, Noise, Nudge, Perturb, Resample
from pbt_core.lineage import Lineage
from pbt_core.method import Clone, Continue, Decision, Method, Restart, Stop
from pbt_core.pbt import PBT
from pbt_core.plan import Plan, Until
from pbt_core.population import Member, Population
from pbt_core.record import Record
from pbt_core.run import Run
from pbt_core.schema import RecordError
from pbt_core.seeds import Stream
from pbt_core.space import Choice, Hyperparameters, Integer, LogUniform, OneMinus, Space, Uniform
from pbt_core.store import Checkpoint, CheckpointError
from pbt_core.task import Score, Task

__all__ = [
    "DRIFT_FREE_FACTORS",
    "PAPER_FACTORS",
    "PBT",
    "BinaryTournament",
    "Checkpoint",
    "CheckpointError",
    "Choice",
    "Clone",
    "Compose",
    "Continue",
    "Decision",
    "Engine",
    "ExploreWarning",
    "Hyperparameters",
    "Integer",
    "Lineage",
    "LogUniform",
    "Member",
    "Method",
    "Noise",
    "Nudge",
    "OneMinus",
    "Perturb",
    "Plan",
    "Population",
    "Processes",
    "Record",
    "RecordError",
    "Resample",
    "Restart",
    "Run",
    "RunError",
    "Score",
    "Serial",
    "Space",
    "Stop",
    "Stream",
    "Task",
    "Truncation",
    "Uniform",
    "Until",
    "WelchTTest",
    "Worker",
    "current_worker",
]
