"""The accelerators that ``--device`` stands for, looked up without touching them: workers alone initialise CUDA."""

from __future__ import annotations

from collections.abc import Sequence

from pbt_core.engines.devices import kind
from reproductions.suite.study.registry import ConfigError


def accelerator_names(device: str, supported: Sequence[str]) -> tuple[str, ...]:
    """The names of accelerators as engines take them: () for "cpu", all that are visible for "cuda".

    supported: the kinds of devices that the task can compute on. ConfigError, in one line, for another kind and for a device
    that is not there.
    """
    requested = must_be_supported(device, supported)
    if requested == "cpu":
        return ()
    present = _visible(requested)
    names = present if device == "cuda" else tuple(device.split(","))
    for name in names:
        if name not in present:
            raise ConfigError(f"device = {device!r}: {name} must be one of {', '.join(present)}")
    return names


def must_be_supported(device: str, supported: Sequence[str]) -> str:
    """The kind of ``device``. ConfigError if it is none that the task can compute on, whether or not it is there."""
    if (requested := kind(device.partition(",")[0])) not in supported:
        raise ConfigError(f"device = {device!r}: its task computes on {' or '.join(supported)} alone")
    return requested


def _visible(requested: str) -> tuple[str, ...]:
    import torch

    if requested == "mps":
        if torch.backends.mps.is_available():
            return ("mps",)
        raise ConfigError(f"device = 'mps': torch {torch.__version__} finds no Apple GPU that it can use")
    # Asks the driver's management library, which makes no context; forks of this process may use CUDA afterwards.
    count = torch.cuda.device_count()
    if count:
        return tuple(f"cuda:{number}" for number in range(count))
    built = f"was built for CUDA {torch.version.cuda}" if torch.version.cuda else "was built for the processor alone"
    raise ConfigError(f"device = 'cuda': torch finds none on this machine; torch {torch.__version__} {built}")
