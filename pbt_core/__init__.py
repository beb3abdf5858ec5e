"""Population Based Training as a library: the algorithm, its engines, and the record of what happened.

Knows no domain, no plots and no tracker. Start with ``PBT``, ``Space``, ``Plan`` and an engine; see the README.
"""

from pbt_core.dimensions import Dimension
from pbt_core.engines import (
    Batched,
    Cluster,
    Durations,
    Engine,
    IntervalTimes,
    Leased,
    Preemption,
    Processes,
    RandomPreemptions,
    Ray,
    Serial,
    Simulated,
    Worker,
    current_worker,
)
from pbt_core.errors import RunError
from pbt_core.exploit import BinaryTournament, Exploit, Truncation, WelchTTest
from pbt_core.explore import (
    DRIFT_FREE_FACTORS,
    PAPER_FACTORS,
    Compose,
    Explore,
    ExploreWarning,
    Noise,
    Nudge,
    Perturb,
    Resample,
    explored,
)
from pbt_core.journal import Observer
from pbt_core.lineage import Lineage, Segment, retrace
from pbt_core.method import Clone, Continue, Decision, Method, Restart, Stop
from pbt_core.pbt import PBT
from pbt_core.plan import Plan, Until
from pbt_core.population import Evaluation, Member, Population
from pbt_core.record import Record
from pbt_core.recorded import Curve, RecordedCurves
from pbt_core.run import Run
from pbt_core.schema import Event, RecordError
from pbt_core.seeds import Stream
from pbt_core.space import Choice, Hyperparameters, Integer, LogUniform, OneMinus, Space, Uniform, Value
from pbt_core.store import Checkpoint, CheckpointError
from pbt_core.task import AnyTask, PopulationTask, Score, Task

__all__ = [
    "DRIFT_FREE_FACTORS",
    "PAPER_FACTORS",
    "PBT",
    "AnyTask",
    "Batched",
    "BinaryTournament",
    "Checkpoint",
    "CheckpointError",
    "Choice",
    "Clone",
    "Cluster",
    "Compose",
    "Continue",
    "Curve",
    "Decision",
    "Dimension",
    "Durations",
    "Engine",
    "Evaluation",
    "Event",
    "Exploit",
    "Explore",
    "ExploreWarning",
    "Hyperparameters",
    "Integer",
    "IntervalTimes",
    "Leased",
    "Lineage",
    "LogUniform",
    "Member",
    "Method",
    "Noise",
    "Nudge",
    "Observer",
    "OneMinus",
    "Perturb",
    "Plan",
    "Population",
    "PopulationTask",
    "Preemption",
    "Processes",
    "RandomPreemptions",
    "Ray",
    "Record",
    "RecordError",
    "RecordedCurves",
    "Resample",
    "Restart",
    "Run",
    "RunError",
    "Score",
    "Segment",
    "Serial",
    "Simulated",
    "Space",
    "Stop",
    "Stream",
    "Task",
    "Truncation",
    "Uniform",
    "Until",
    "Value",
    "WelchTTest",
    "Worker",
    "current_worker",
    "explored",
    "retrace",
]
