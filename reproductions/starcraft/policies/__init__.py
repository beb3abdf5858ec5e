"""Scripted policies that see and act through the specification alone: what the simulation is calibrated by.

A policy looks at the feature layers of one game and gives one call; it may remember something between steps. They play the
simulation and the game alike.
"""

from reproductions.starcraft.policies.economy import grow_economy, send_workers, train_marines
from reproductions.starcraft.policies.episodes import episodes, rows
from reproductions.starcraft.policies.fighting import bait, lowest_enemy, middle_of_enemies, search
from reproductions.starcraft.policies.player import NOTHING, Call, Observation, Player, Policy
from reproductions.starcraft.policies.walking import random_play, shards_apart, shards_together, to_beacon

__all__ = [
    "NOTHING",
    "Call",
    "Observation",
    "Player",
    "Policy",
    "bait",
    "episodes",
    "grow_economy",
    "lowest_enemy",
    "middle_of_enemies",
    "random_play",
    "rows",
    "search",
    "send_workers",
    "shards_apart",
    "shards_together",
    "to_beacon",
    "train_marines",
]
