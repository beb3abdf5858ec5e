"""The kinds of search methods, and of what they are made of, by their names in a configuration: each is declared here once.

A kind is a dataclass, or a function, whose parameters are its keys: names, types, defaults and rules are those of
the declaration itself (see ``descriptions``). To add one, write its dataclass, name it here, and give an example
in ``examples``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from baselines import (
    PB2,
    Annealed,
    Bayesian,
    FirePBT,
    Fixed,
    Genetic,
    Halving,
    MultiFrequency,
    Noam,
    Piecewise,
    RandomSchedules,
    RandomSearch,
    Schedule,
    Scheduled,
    replay,
)
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
