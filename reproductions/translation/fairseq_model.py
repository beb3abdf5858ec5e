"""fairseq's Transformer, criterion, optimiser, trainer and generator behind the contract of ``trainer.Translator``.

Everything goes through its Python API: options are parsed as its command line would, and each step is one
``Trainer.train_step``. Dropouts are changed in the live modules, the learning rate in the scheduler *and* in the optimiser.
Nothing of it is pickled: a checkpoint is the model's and the optimiser's ``state_dict``.

fairseq is imported where it is used. It is unmaintained: ``ve-fairseq`` is the build that runs on current Python and torch.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import torch
from torch import nn

from baselines.extras import install
from pbt_core import Checkpoint, Stream
from pbt_core.torch import seeded
from reproductions.suite.study.registry import ConfigError
from reproductions.translation.decoding import Search
from reproductions.translation.dropout import Dropouts
from reproductions.translation.ids import PAD, SPECIAL
from reproductions.translation.padding import Batch, padded
from reproductions.translation.trainer import BETAS, EPS, SMOOTHING, packed, unpacked
from reproductions.translation.transformer import Architecture

#: Kinds of devices that fairseq's trainer knows.
DEVICES = ("cpu", "cuda")


def require() -> None:
    """ConfigError if fairseq is not installed."""
    if importlib.util.find_spec("fairseq") is None:
        raise ConfigError(f"backend = 'fairseq' needs the module 'fairseq': {install('fairseq')}")


@dataclass
class FairseqState:
    """The state: fairseq's ``Trainer``, which holds model and optimiser; see ``trainer.Trained``."""

    trainer: Any
    loss: float = math.nan

    @property
    def model(self) -> nn.Module:
        model: nn.Module = self.trainer.get_model()
        return model


@dataclass(frozen=True)
class FairseqTranslator:
    """fairseq's Transformer with its Adam, in float32; see ``trainer.Translator`` and ``trainer.TorchTranslator``.

    The cap on a translation's length is fairseq's: that of the longest source of its batch. So are the masks of its dropouts,
    which are drawn on the device: those of a GPU differ from those of a processor.
    """

    architecture: Architecture
    smoothing: float = SMOOTHING
    clip: float = 0.0
    search: Search = field(default_factory=Search)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def init(self, seed: Stream) -> FairseqState:
        with _contained(self.device), seeded(seed):
            configuration, task = _prepared(self)
            model, criterion = task.build_model(configuration.model), task.build_criterion(configuration.criterion)
            # A trainer writes into its configuration.
            trainer = _trainer_class()(copy.deepcopy(configuration), task, model, criterion)
            _ = trainer.optimizer  # built when first asked for
        return FairseqState(trainer)

    def train(
        self, state: FairseqState, batches: Sequence[Batch], lr: float, dropouts: Dropouts, seed: Stream
    ) -> FairseqState:
        trainer, total, tokens = state.trainer, 0.0, 0
        with _contained(self.device), seeded(seed):
            set_dropouts(state.model, dropouts)
            set_lr(trainer, lr)
            # The trainer seeds torch with this number plus the updates so far, before every step.
            trainer.cfg.common.seed = seed.integer() >> 1
            trainer.set_num_updates(0)
            for batch in batches:
                try:
                    output = trainer.train_step([sample(batch)])
                except _Diverged:
                    state.loss = math.nan
                    return state
                total += output["loss"] * math.log(2) * batch.tokens  # fairseq reports bits a token
                tokens += batch.tokens
        state.loss = total / tokens if tokens else state.loss
        return state

    def translate(self, state: FairseqState, sources: Sequence[Sequence[int]], beam: int = 1) -> list[list[int]]:
        search = replace(self.search, beam=beam)
        order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
        sentences = search.rows // search.beam
        ordered: list[list[int]] = [[] for _ in sources]
        with _contained(self.device):
            from fairseq.sequence_generator import SequenceGenerator

            generator = SequenceGenerator(
                [state.model],
                state.trainer.task.target_dictionary,
                beam_size=beam,
                max_len_a=search.ratio,
                max_len_b=search.extra,
                len_penalty=search.length_penalty,
            )
            for begin in range(0, len(order), sentences):
                chosen = order[begin : begin + sentences]
                source = padded([sources[i] for i in chosen]).to(self.device)
                inputs = {"src_tokens": source, "src_lengths": (source != PAD).sum(1)}
                try:
                    translations = generator.generate([state.model], {"net_input": inputs})
                except AssertionError:
                    continue  # scores of a broken model are not numbers, so no hypothesis ends, which fairseq asserts
                for i, hypotheses in zip(chosen, translations, strict=True):
                    ordered[i] = hypotheses[0]["tokens"][:-1].tolist()
        return ordered

    def save(self, state: FairseqState) -> Checkpoint:
        return packed(state.loss, model=state.model, optimizer=state.trainer.optimizer)

    def load(self, checkpoint: Checkpoint) -> FairseqState:
        state = self.init(Stream(0))
        state.loss = unpacked(checkpoint, model=state.model, optimizer=state.trainer.optimizer)
        return state


def sample(batch: Batch) -> dict[str, Any]:
    """A batch as fairseq's criterion takes it."""
    lengths = (batch.source != PAD).sum(1)
    inputs = {"src_tokens": batch.source, "src_lengths": lengths, "prev_output_tokens": batch.previous}
    return {"net_input": inputs, "target": batch.target, "ntokens": batch.tokens}


def set_dropouts(model: nn.Module, dropouts: Dropouts) -> None:
    """Change the dropouts of a live fairseq Transformer."""
    from fairseq.modules import FairseqDropout

    for name, module in model.named_modules():
        if isinstance(module, FairseqDropout):
            if name.endswith("activation_dropout_module"):
                module.p = dropouts.relu
            else:
                module.p = dropouts.attention if "attn." in name else dropouts.layer


def set_lr(trainer: Any, lr: float) -> None:
    """Change the learning rate of a live fairseq ``Trainer`` with the fixed schedule."""
    # The schedule gives its own rate to the optimiser after each step, so both have to know.
    trainer.lr_scheduler.lrs, trainer.lr_scheduler.lr = [lr], lr
    trainer.optimizer.set_lr(lr)


class _Diverged(Exception):
    """A gradient is not finite."""


@cache
def _prepared(translator: FairseqTranslator) -> tuple[Any, Any]:
    """fairseq's configuration and translation task for these settings."""
    from fairseq import options
    from fairseq.data import Dictionary
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf
    from fairseq.tasks.translation import TranslationTask

    sizes = translator.architecture
    dictionary = Dictionary()  # begins with the four special symbols
    for index in range(SPECIAL, sizes.vocabulary):
        dictionary.add_symbol(str(index))
    arguments: dict[str, Any] = {
        "arch": "transformer",
        "criterion": "label_smoothed_cross_entropy",
        "label-smoothing": translator.smoothing,
        "optimizer": "adam",
        "adam-betas": str(BETAS),
        "adam-eps": EPS,
        "clip-norm": translator.clip,
        "lr-scheduler": "fixed",
        "lr": 0.0,
        "num-workers": 0,
        "source-lang": "source",
        "target-lang": "target",
        "max-source-positions": sizes.positions,
        "max-target-positions": sizes.positions,
        "dropout": 0.0,
    }
    flags = ["--share-all-embeddings", *(["--cpu"] if translator.device.type == "cpu" else [])]
    for side in ("encoder", "decoder"):
        arguments |= {
            f"{side}-embed-dim": sizes.width,
            f"{side}-ffn-embed-dim": sizes.ffn,
            f"{side}-layers": sizes.layers,
            f"{side}-attention-heads": sizes.heads,
        }
        flags += [f"--{side}-normalize-before"] if sizes.pre_norm else []
    settings = [f"--{name}={value}" for name, value in arguments.items()]
    # The first is the folder of the data, which only reading data would look at.
    namespace = options.parse_args_and_arch(options.get_training_parser(), ["-", *settings, *flags])
    configuration = convert_namespace_to_omegaconf(namespace)
    return configuration, TranslationTask(configuration.task, dictionary, dictionary)


@cache
def _trainer_class() -> type[Any]:
    from fairseq.trainer import Trainer

    class Stopping(Trainer):  # type: ignore[misc]
        """fairseq's trainer, but at a gradient that is not finite it stops instead of writing a pickle and computing again."""

        def _check_grad_norms(self, grad_norm: Any) -> None:
            if not math.isfinite(grad_norm):
                raise _Diverged

    return Stopping


@cache
def _import() -> None:
    """Import fairseq without its set-up of logging for the whole process, and without its notes on missing packages."""
    root, disabled = logging.getLogger(), logging.root.manager.disable
    handlers, level = root.handlers[:], root.level
    logging.disable(logging.WARNING)
    try:
        import fairseq.trainer  # noqa: F401  (and with it everything else)
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        root.setLevel(level)


@contextmanager
def _contained(device: torch.device) -> Iterator[None]:
    """fairseq at work: its warnings stay inside, its global meters are not ours, and its "cuda" is ``device``."""
    card = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
    with warnings.catch_warnings(), card:
        warnings.simplefilter("ignore")
        _import()
        from fairseq.logging import metrics

        with metrics.aggregate(new_root=True):
            yield
