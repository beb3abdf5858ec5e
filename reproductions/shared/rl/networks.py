"""What agents look with: networks from named observations to one vector of features."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from reproductions.shared.rl.environments import Array


class Perception(nn.Module):
    """Two convolutions and a linear layer: "pixels", uint8 [B, channels, size, size], to [B, width], non-negative.

    From 80 pixels on the network of the A3C paper (16 8x8/4, 32 4x4/2), made for 84x84; otherwise a smaller one for 42x42
    (16 6x6/3, 32 4x4/2; our choice).
    """

    def __init__(self, channels: int, size: int, width: int) -> None:
        super().__init__()
        self.convolutions = _convolutions(channels, size)
        features = self.convolutions(torch.zeros(1, channels, size, size)).shape[1]
        self.linear = nn.Linear(features, width)

    def forward(self, observations: Mapping[str, Tensor]) -> Tensor:
        return torch.relu(self.linear(self.convolved(observations)))

    def convolved(self, observations: Mapping[str, Tensor]) -> Tensor:
        """What the convolutions make of a picture, flat: [B, ``linear.in_features``]."""
        features: Tensor = self.convolutions(_scaled(observations["pixels"]))
        return features


class MixedPerception(nn.Module):
    """Any observations to [B, width], non-negative: pictures by convolutions, all else flat by a linear layer, then another.

    observations: those to look at, by name; a shape of three axes, [channels, height, width], is a picture. Whole numbers of
    8 bits are scaled to 0..1, other types taken as they are.
    """

    def __init__(self, observations: Mapping[str, Array], width: int) -> None:
        super().__init__()
        if not observations:
            raise ValueError("there is no observation to look at")
        # Names may hold points, which those of modules may not.
        self.names = list(observations)
        self.parts = nn.ModuleList(_part(array, width) for array in observations.values())
        empty = {name: torch.zeros(1, *array.shape) for name, array in observations.items()}
        with torch.no_grad():
            features = self._features(empty).shape[1]
        self.linear = nn.Linear(features, width)

    def forward(self, observations: Mapping[str, Tensor]) -> Tensor:
        return torch.relu(self.linear(self._features(observations)))

    def _features(self, observations: Mapping[str, Tensor]) -> Tensor:
        each = zip(self.names, self.parts, strict=True)
        return torch.cat([part(_scaled(observations[name])) for name, part in each], 1)


def _part(array: Array, width: int) -> nn.Module:
    if len(array.shape) == 3:
        return _convolutions(array.shape[0], min(array.shape[1:]))
    return nn.Sequential(_Flat(), nn.Linear(math.prod(array.shape), width), nn.ReLU())


class _Flat(nn.Module):
    """[B, ...] to [B, n]; also [B] to [B, 1], which ``nn.Flatten`` does not."""

    def forward(self, values: Tensor) -> Tensor:
        return values.reshape(len(values), -1)


def _convolutions(channels: int, size: int) -> nn.Sequential:
    """Two of them, and flat; ``size`` is the shorter side in pixels. Pictures too small for strides are padded instead."""
    if size < 15:
        first, second = nn.Conv2d(channels, 16, 3, 1, 1), nn.Conv2d(16, 32, 3, 1, 1)
    else:
        kernel, stride = (8, 4) if size >= 80 else (6, 3)
        first, second = nn.Conv2d(channels, 16, kernel, stride), nn.Conv2d(16, 32, 4, 2)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten())


def _scaled(values: Tensor) -> Tensor:
    scaled = values.to(torch.float32)
    return scaled / 255 if values.dtype == torch.uint8 else scaled
