"""Inception score and Frechet distance, by torch-fidelity's formulas, on a classifier's outputs.

Inception score (Salimans et al., 2016): exp of the mean KL divergence of p(label | image) from p(label); 1 is
the worst, the number of classes the best. Frechet distance (Heusel et al., 2017): between Gaussians fitted to
features of real and of generated images; 0 is the best. Both are nan where an input is not finite, so that a
diverged member is seen as one.

The ImageNet Inception network needs a weights file that is never downloaded here: see ``inception_weights``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reproductions.shared import assets
from reproductions.shared.torchvision_compat import import_torchvision

# One file under two names, torch-fidelity's and pytorch-fid's, which publish the first 8 digits of its sha256 as the last of
# its name. The others are those of the file that both projects' releases give, as many who use it have recorded.
INCEPTION_FILES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


class InceptionMissing(RuntimeError):
    """The ImageNet Inception weights are missing or not the published ones; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Mean [D] and covariance [D, D] of features [N, D], float64."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def inception_score(logits: Tensor, rng_seed: int, splits: int = 10) -> tuple[float, float]:
    """Mean and std over ``splits`` parts of logits [N, classes], shuffled by ``rng_seed`` (below 2**32)."""
    if not torch.isfinite(logits).all():
        return float("nan"), float("nan")
    import_torchvision()
    from torch_fidelity.metric_isc import isc_features_to_metric

    # A class whose probability underflows to 0 in all of a part would make 0 * inf; e^-500 changes no score.
    logits = logits.double().log_softmax(dim=1).clamp(min=-500)
    score = isc_features_to_metric(logits, splits=splits, shuffle=True, rng_seed=rng_seed)
    return score["inception_score_mean"], score["inception_score_std"]


def statistics(features: Tensor) -> Statistics:
    """Mean and covariance of features [N, D] (N of at least 2), in float64."""
    import_torchvision()
    from torch_fidelity.metric_fid import fid_features_to_statistics

    fitted = fid_features_to_statistics(features.double())
    return Statistics(fitted["mu"], fitted["sigma"])


def fid(features: Tensor, real: Statistics) -> float:
    """Frechet distance of features [N, D] from the statistics of the real images' features."""
    if not torch.isfinite(features).all():
        return float("nan")
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    ours = statistics(features)
    gaussians = [{"mu": fitted.mean, "sigma": fitted.covariance} for fitted in (ours, real)]
    return fid_statistics_to_metric(*gaussians, verbose=False)["frechet_inception_distance"]


def inception_weights() -> Path:
    """The weights file of ImageNet Inception in torch's hub folder, or InceptionMissing."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for path in (folder / name for name in INCEPTION_FILES):
        if path.exists():
            try:
                return assets.verified(path, INCEPTION_SHA256)
            except assets.DataError as error:
                raise InceptionMissing(str(error)) from None
    raise InceptionMissing(
        f"ImageNet scores need {INCEPTION_FILES[0]} (or {INCEPTION_FILES[1]}, the same file) in {folder}; "
        "it is not downloaded: get it from torch-fidelity's release page, or set TORCH_HOME to where it is"
    )


@cache
def _inception(device: torch.device) -> Any:
    path = inception_weights()
    import_torchvision()
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    # Refuses anything but tensors, before torch-fidelity loads the file without that guard.
    torch.load(path, weights_only=True)
    return FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], str(path)).to(device)


@torch.no_grad()
def imagenet_outputs(images: Tensor, device: torch.device | None = None, batch: int = 50) -> tuple[Tensor, Tensor]:
    """Logits [N, 1008] and features [N, 2048] of ImageNet Inception, for ``inception_score`` and ``fid``.

    ``images`` is float [N, 1 or 3, H, W] in -1..1, enlarged to 299 x 299 as the original network's input was.
    Raises InceptionMissing where the weights file is not there.
    """
    device = device or torch.device("cpu")
    network = _inception(device)
    pixels = images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).expand(-1, 3, -1, -1)
    features, logits = zip(*(network(part.to(device)) for part in pixels.split(batch)), strict=True)
    return torch.cat(logits).cpu(), torch.cat(features).cpu()
