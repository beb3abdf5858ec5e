"""What is measured on GANs."""

from itertools import product

from pbt_core import LogUniform, Space
from reproductions.sweep import Expected, Measure, Scale

# Learning rates of the discriminator and of the generator. The range is our choice; the paper starts from 1e-4 to 5e-4.
SPACE = Space({"lr_d": LogUniform(1e-5, 1e-2), "lr_g": LogUniform(1e-5, 1e-2)})

MEASURE = Measure(
    score="Inception score (selecting samples)",
    unit="",
    held_out="Inception score (reported samples)",
    step="generator steps",
)

_PAPER_RATES = [{"lr_d": d, "lr_g": g} for d, g in product((1e-4, 2e-4, 5e-4), repeat=2)]


def _pbt(ready: int, **changes: object) -> dict[str, object]:
    explore = [{"kind": "perturb", "factors": [2.0, 0.5]}]
    return {"kind": "pbt", "ready": ready, "exploit": {"kind": "truncation"}, "explore": explore, **changes}


def _hand_tuned(steps: int, rates: list[dict[str, float]]) -> dict[str, object]:
    """The paper's sweep: constant for N steps (0.5, 1, 2 x 1e5 of 1e6), then exponential or linear decay; from each rate."""
    schedules = [
        {"kind": "annealed", "values": values, "hold": int(share * steps), "end": steps, "decay": decay}
        for values in rates
        for share in (0.05, 0.1, 0.2)
        for decay in ("exponential", "linear")
    ]
    return {"kind": "scheduled", "schedules": [*({"kind": "fixed", "values": values} for values in rates), *schedules]}


def _methods(steps: int, ready: int, rates: list[dict[str, float]], initial: list[dict[str, float]]) -> dict[str, object]:
    return {
        "pbt": _pbt(ready, initial=initial),
        "pbt_tournament": _pbt(ready, initial=initial, exploit={"kind": "binary_tournament"}),
        "random_search": {"kind": "random_search"},
        "hand_tuned": _hand_tuned(steps, rates),
    }


SCALES = {
    "smoke": Scale(
        population=4,
        steps=20,
        interval=5,
        task={"width": 4, "batch": 8, "samples": 100, "loss": "bce", "d_steps": 1},
        methods=_methods(20, 5, [{"lr_d": 1e-3, "lr_g": 1e-3}], []),
    ),
    "laptop": Scale(
        population=8,
        steps=1200,
        interval=150,
        task={"width": 16, "batch": 64, "samples": 2000, "loss": "bce", "d_steps": 1},
        methods=_methods(1200, 150, [{"lr_d": 1e-3, "lr_g": 1e-3}], []),
    ),
    "paper": Scale(
        population=45,
        steps=1_000_000,
        interval=5000,
        task={"dataset": "cifar10", "width": 128, "batch": 128, "samples": 50_000, "imagenet": True},
        methods=_methods(1_000_000, 5000, _PAPER_RATES[4:5], _PAPER_RATES),
    ),
}
METHODS = SCALES["laptop"].methods

EXPECTED = (
    Expected("hand_tuned", "CIFAR Inception score", 6.38, "medium"),
    Expected("pbt", "CIFAR Inception score", 6.80, "medium"),
    Expected("pbt_tournament", "CIFAR Inception score", 6.77, "recall"),
    Expected("hand_tuned", "ImageNet Inception score", 6.45, "medium"),
    Expected("pbt", "ImageNet Inception score", 6.89, "medium"),
    Expected("pbt_tournament", "ImageNet Inception score", 6.74, "recall"),
)
REQUIRES = ("torch", "torchvision", "torch_fidelity")
