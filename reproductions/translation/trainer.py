"""A member of a population that translates: what it holds, and the contract that both backends keep.

``Translator`` is that contract; ``TorchTranslator`` keeps it with our own Transformer, ``fairseq_model.FairseqTranslator``
with fairseq's. Everything that a search may change (learning rate, dropouts) is handed to each call of ``train`` and rules
over what a copied optimiser brings along.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import nn

from pbt_core import Checkpoint, Stream
from pbt_core.torch import Stateful, pack, seeded, unpack
from reproductions.suite.study.registry import ConfigError
from reproductions.translation.decoding import Search, translate
from reproductions.translation.dropout import Dropouts, Noise
from reproductions.translation.padding import Batch
from reproductions.translation.transformer import Architecture, Transformer

BETAS, EPS = (0.9, 0.98), 1e-9  # Adam's, the paper's recipe
SMOOTHING = 0.1

Precision = Literal["float32", "bfloat16"]


class Trained(Protocol):
    """A member's state, whatever else is in it.

    loss: mean over the target tokens of the last call of ``train``, in nats, smoothing included; NaN before the first
    call, and if training met a gradient that is not finite.
    """

    loss: float


State = TypeVar("State", bound=Trained)


class Translator(Protocol[State]):
    """What a backend does with a member. Instances are settings, picklable; states hold all that training changes."""

    def init(self, seed: Stream) -> State:
        """A new member, its weights drawn from ``seed``."""
        ...

    def train(self, state: State, batches: Sequence[Batch], lr: float, dropouts: Dropouts, seed: Stream) -> State:
        """One optimiser step a batch, in place; the masks of the dropouts come from ``seed``, drawn on the processor.

        At a gradient that is not finite training stops before the step and ``state.loss`` is NaN: the weights stay
        finite, so that the member can be evaluated and saved, and the caller can name it diverged.
        """
        ...

    def translate(self, state: State, sources: Sequence[Sequence[int]], beam: int = 1) -> list[list[int]]:
        """Translations of sentences that end with ``EOS``, in their order; ids without ``EOS``. Beam 1 is greedy.

        For a member whose training broke down there is a result too, if only empty lists.
        """
        ...

    def save(self, state: State) -> Checkpoint:
        """Weights and optimiser, as named arrays; independent of further training."""
        ...

    def load(self, checkpoint: Checkpoint) -> State:
        """A member that continues exactly as the saved one."""
        ...


@dataclass
class TorchState:
    """The state of ``TorchTranslator``; see ``Trained``."""

    model: Transformer
    optimizer: torch.optim.Adam
    loss: float = math.nan


@dataclass(frozen=True)
class TorchTranslator:
    """Our Transformer with Adam; see ``Translator``.

    smoothing: of the labels. clip: largest norm of a gradient; 0 leaves it as it is. search: all of decoding but the
    beam. precision: "bfloat16" multiplies matrices in it (weights and optimiser stay float32), about twice as fast on
    a CPU that has it and far slower on one that has not.
    """

    architecture: Architecture
    smoothing: float = SMOOTHING
    clip: float = 0.0
    search: Search = field(default_factory=Search)
    precision: Precision = "float32"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def init(self, seed: Stream) -> TorchState:
        with seeded(seed):
            model = Transformer(self.architecture).to(self.device)
        # The learning rate does not matter here: train sets it.
        return TorchState(model, torch.optim.Adam(model.parameters(), betas=BETAS, eps=EPS, fused=True))

    def train(
        self, state: TorchState, batches: Sequence[Batch], lr: float, dropouts: Dropouts, seed: Stream
    ) -> TorchState:
        noise = Noise(dropouts, torch.Generator().manual_seed(seed.integer()))
        for group in state.optimizer.param_groups:
            group["lr"] = lr
        parameters = list(state.model.parameters())
        total, tokens = 0.0, 0
        for batch in batches:
            with self._arithmetic():
                loss = state.model.loss(batch.to(self.device), self.smoothing, noise)
            state.optimizer.zero_grad()
            (loss / batch.tokens).backward()
            norm = nn.utils.clip_grad_norm_(parameters, self.clip or math.inf)
            if not math.isfinite(norm):
                state.loss = math.nan
                return state
            state.optimizer.step()
            total += float(loss.detach())
            tokens += batch.tokens
        state.loss = total / tokens if tokens else state.loss
        return state

    def translate(self, state: TorchState, sources: Sequence[Sequence[int]], beam: int = 1) -> list[list[int]]:
        with self._arithmetic():
            return translate(state.model, sources, replace(self.search, beam=beam))

    def save(self, state: TorchState) -> Checkpoint:
        return packed(state.loss, model=state.model, optimizer=state.optimizer)

    def load(self, checkpoint: Checkpoint) -> TorchState:
        state = self.init(Stream(0))
        state.loss = unpacked(checkpoint, model=state.model, optimizer=state.optimizer)
        return state

    def _arithmetic(self) -> torch.autocast:
        # Without its cache, which would hand out the first step's weights in all the steps after it.
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16", cache_enabled=False
        )


def packed(loss: float, **parts: Stateful) -> Checkpoint:
    """A copy of the state of ``parts``, and the loss."""
    checkpoint = pack(**parts)
    return Checkpoint(
        {name: array.copy() for name, array in checkpoint.tensors.items()}, {**checkpoint.json, "loss": loss}
    )


def unpacked(checkpoint: Checkpoint, **parts: Stateful) -> float:
    """Load ``parts``; gives the loss."""
    unpack(checkpoint, **parts)
    return float(checkpoint.json["loss"])


def translator(backend: str, architecture: Architecture, **settings: Any) -> Translator[Any]:
    """The translator called ``backend``, "torch" or "fairseq"; ``settings`` are its other fields.

    ConfigError if there is no such backend, or if its package is not installed.
    """
    if backend == "torch":
        return TorchTranslator(architecture, **settings)
    if backend == "fairseq":
        from reproductions.translation import fairseq_model

        fairseq_model.require()
        return fairseq_model.FairseqTranslator(architecture, **settings)
    raise ConfigError(f"backend = {backend!r} must be one of ['fairseq', 'torch']")
