"""Feature layers as a network takes them: planes of categories, and amounts on a logarithmic scale.

What of pysc2's layers an agent is shown is derived from the map: those that are the same in all of its observations, or that
another layer tells already, are left out. A test holds that to what the simulation shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from reproductions.starcraft import kinds
from reproductions.starcraft.maps import MiniGame
from reproductions.starcraft.specification import FUNCTIONS, MINIMAP, SCREEN, Layer

#: The kinds of units on each map; of the game's 2,000 types any other looks like the ground.
_KINDS: Mapping[str, tuple[int, ...]] = {
    "MoveToBeacon": (kinds.MARINE, kinds.BEACON),
    "CollectMineralShards": (kinds.MARINE, kinds.SHARD),
    "DefeatRoaches": (kinds.MARINE, kinds.ROACH),
    "DefeatZerglingsAndBanelings": (kinds.MARINE, kinds.ZERGLING, kinds.BANELING),
    "FindAndDefeatZerglings": (kinds.MARINE, kinds.ZERGLING),
    "CollectMineralsAndGas": (
        kinds.SCV, kinds.PATCH, kinds.GEYSER, kinds.COMMAND_CENTER, kinds.SUPPLY_DEPOT, kinds.REFINERY
    ),
    "BuildMarines": (
        kinds.SCV, kinds.PATCH, kinds.COMMAND_CENTER, kinds.SUPPLY_DEPOT, kinds.BARRACKS, kinds.MARINE
    ),
}  # fmt: skip


def categories(game: MiniGame, layer: Layer) -> tuple[int, ...]:
    """The values of a categorical layer that occur on this map, without 0."""
    if layer.name == "unit_type":
        return tuple(kinds.KINDS[kind].type for kind in _KINDS[game.name])
    return tuple(range(1, layer.scale))


def screen_layers(game: MiniGame) -> tuple[Layer, ...]:
    """The layers of the screen that tell something on this map.

    ``player_id`` says what ``player_relative`` says. Without fog all is visible, and where nobody fights nobody loses hit
    points; those that a building gains while it is built are in the layers' ratio, which economic maps keep.
    """
    names = ["player_relative", "unit_type", "selected", "unit_density", "unit_hit_points_ratio"]
    names += ["unit_hit_points"] * game.fights + ["visibility_map"] * game.fog
    return tuple(layer for layer in SCREEN if layer.name in names)


def minimap_layers(game: MiniGame) -> tuple[Layer, ...]:
    """The layers of the minimap that tell something on this map: none where the camera never moves and nothing is hidden.

    The minimap then shows, four to five times coarser, what the screen shows.
    """
    if not points_into_minimap(game):
        return ()
    names = ["camera", "player_relative", "selected"] + ["visibility_map"] * game.fog
    return tuple(layer for layer in MINIMAP if layer.name in names)


def points_into_minimap(game: MiniGame) -> bool:
    """Whether a function of this map takes a point of the minimap."""
    return any("minimap" in FUNCTIONS[name].arguments for name in game.functions)


class Planes(nn.Module):
    """Integer layers [B, layers, size, size] to float planes [B, planes, size, size]: those of categories, then of amounts.

    offered: what the layers of an observation are, in order; chosen: those to look at. A category has a plane for each of its
    values but 0, which is zero in all of them; an amount x is log(1 + x) / log(scale), from 0 to 1.
    """

    places: Tensor
    values: Tensor
    scales: Tensor

    def __init__(self, game: MiniGame, offered: tuple[Layer, ...], chosen: tuple[Layer, ...]) -> None:
        super().__init__()
        planes = [(layer, value) for layer in chosen if layer.categorical for value in categories(game, layer)]
        amounts = [layer for layer in chosen if not layer.categorical]
        self.categories, self.amounts = len(planes), len(amounts)
        buffers = {
            "places": torch.tensor([offered.index(layer) for layer in [*(layer for layer, _ in planes), *amounts]]),
            "values": torch.tensor([value for _, value in planes], dtype=torch.int32)[:, None, None],
            "scales": torch.tensor([1 / math.log(layer.scale) for layer in amounts])[:, None, None],
        }
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, layers: Tensor) -> Tensor:
        chosen = layers.index_select(1, self.places)
        planes = chosen.new_empty(chosen.shape, dtype=torch.float32)
        planes[:, : self.categories] = chosen[:, : self.categories] == self.values
        planes[:, self.categories :] = chosen[:, self.categories :].to(torch.float32).log1p() * self.scales
        return planes


def logarithmic(values: Tensor) -> Tensor:
    """log(1 + x) of the numbers of a vector, such as minerals: float [..., n]."""
    return values.to(torch.float32).log1p()
