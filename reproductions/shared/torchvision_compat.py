"""Makes torchvision importable beside a CPU build of torch; call it before torchvision or what imports it.

A torchvision wheel built for CUDA cannot load its compiled operators into a CPU torch, and then its pure
Python part fails on import too: ``RuntimeError: operator torchvision::nms does not exist`` (pytorch/vision
issues 9077 and 9085). torch_fidelity, pytorch_fid and torchmetrics import torchvision and fail with it.
Declaring the two operators that the Python part asks about is enough for datasets, transforms and models.
``torchvision.ops`` and the compiled image codecs stay unusable; images are then read through PIL.
"""

from __future__ import annotations

import importlib
from types import ModuleType

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_torchvision() -> ModuleType:
    """The torchvision module, after the remedy if it is needed; any other import error passes unchanged."""
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
    for operator in ("torchvision::nms", "torchvision::qnms"):
        torch.library.define(operator, _SCHEMA)
    return importlib.import_module("torchvision")
