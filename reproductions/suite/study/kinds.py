"""The kinds of search methods, and of what they are made of, by their names in a configuration: each is declared here once.

A kind is a dataclass, or a function, whose parameters are its keys: names, types, defaults and rules are those of
the declaration itself (see ``descriptions``). To add one, write its dataclass, name it here, and give an example
in ``examples``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# From the modules that declare them: the sources of a run are found by where the kind of its method comes from.
from baselines.bayesian import Bayesian
from baselines.fire import FirePBT
from baselines.genetic import Genetic
from baselines.halving import Halving
from baselines.multi_frequency import MultiFrequency
from baselines.pb2 import PB2
from baselines.random_schedules import RandomSchedules
from baselines.random_search import RandomSearch
from baselines.scheduled import Annealed, Fixed, Noam, Piecewise, Schedule, Scheduled, replay
from pbt_core import (
    PBT,
    BinaryTournament,
    Compose,
    Method,
    Noise,
    Nudge,
    Perturb,
    Resample,
    Truncation,
    WelchTTest,
)
from pbt_core.exploit import Exploit
from pbt_core.explore import Explore

#: Makes an object from the keys of its description.
Kind = Callable[..., Any]


@dataclass(frozen=True)
class Family:
    """Kinds that can stand for each other.

    type: the annotation of parameters that hold one of them.
    chain: makes one of several that follow each other, which a configuration writes as a list; None where it cannot.
    """

    name: str
    type: Any
    kinds: Mapping[str, Kind]
    chain: Kind | None = None


EXPLOIT = Family(
    "exploit",
    Exploit,
    {"truncation": Truncation, "welch_t_test": WelchTTest, "binary_tournament": BinaryTournament},
)
EXPLORE = Family(
    "explore",
    Explore,
    {"perturb": Perturb, "resample": Resample, "nudge": Nudge, "noise": Noise},
    chain=Compose,
)
SCHEDULE = Family(
    "schedule",
    Schedule,
    {"fixed": Fixed, "annealed": Annealed, "noam": Noam, "piecewise": Piecewise},
)
METHOD = Family(
    "method",
    Method,
    {
        "pbt": PBT,
        "pb2": PB2,
        "mf_pbt": MultiFrequency,
        "fire_pbt": FirePBT,
        "bayesian": Bayesian,
        "halving": Halving,
        "genetic": Genetic,
        "random_search": RandomSearch,
        "random_schedules": RandomSchedules,
        "scheduled": Scheduled,
        "replay": replay,
    },
)
FAMILIES = (METHOD, EXPLOIT, EXPLORE, SCHEDULE)
