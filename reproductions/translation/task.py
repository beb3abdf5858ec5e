"""A Transformer whose learning rate and dropouts are tuned for BLEU (the paper, section 4.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch

from pbt_core import Checkpoint, Hyperparameters, Plan, Score, Space, Stream
from reproductions.shared import device
from reproductions.shared.assets import DataError, data_folder
from reproductions.shared.bounds import Count, Few, Name, check_memory
from reproductions.suite.study.domain import TORCH_DEVICES, DomainTask
from reproductions.suite.study.registry import ConfigError
from reproductions.translation import bleu, corpus, fairseq_model
from reproductions.translation.batches import Epochs
from reproductions.translation.corpus import Corpus, Evaluation
from reproductions.translation.decoding import Search
from reproductions.translation.dropout import Dropouts
from reproductions.translation.sweep import SPACE, SPACES
from reproductions.translation.trainer import Translator, translator
from reproductions.translation.transformer import Architecture, Transformer


@dataclass
class TranslationState:
    """A member: the translator's own state, the steps its weights were trained for, and the order of its data."""

    state: Any
    age: int
    order: int


@dataclass(frozen=True)
class Translation(DomainTask[TranslationState]):
    """A step is one of the optimiser, on a batch of at most ``max_tokens`` tokens a side, padding included.

    corpus, data: which sentence pairs, and the folder they are kept in. vocabulary: pieces, both languages together.
    backend: our own Transformer or fairseq's. width, ffn, layers, heads, pre_norm: its sizes. beam: of the search behind
    the scores, 1 is greedy. longest: pairs with a side of more pieces, end of sentence included, are left out of all sets
    (None: none are). sentences: of the dev and of the test set that are translated at an evaluation (None: all); the whole
    test set is reported in either case.
    """

    corpus: Name = "catalogues"
    data: str = "data"
    vocabulary: Count = 2000
    backend: Literal["torch", "fairseq"] = "torch"
    width: Count = 128
    ffn: Count = 512
    layers: Few = 2
    heads: Few = 4
    pre_norm: bool = True
    max_tokens: Count = 1024
    beam: Count = 1
    longest: Count | None = None
    sentences: Count | None = None

    @property
    def space(self) -> Space:
        return SPACES.get(self.corpus, SPACE)

    @property
    def devices(self) -> tuple[str, ...]:
        return TORCH_DEVICES if self.backend == "torch" else fairseq_model.DEVICES

    def prepare(self, plan: Plan) -> None:
        """Get the corpus, once for all workers and runs. ConfigError says what is missing and what to do."""
        with data_folder(self.data):
            try:
                corpus = self._corpus()
            except DataError as error:
                raise ConfigError(f"task.corpus = {self.corpus!r}: {error}") from None
            except ValueError as error:
                raise ConfigError(f"task.corpus, task.vocabulary, task.longest: {error}") from None
        try:
            self._translator()
            Epochs(corpus.train, self.max_tokens)
            Search(beam=self.beam)
        except ValueError as error:
            raise ConfigError(f"task: {error}") from None
        self._check_lengths(corpus)
        self._check_memory()

    def init(self, seed: Stream, hyperparameters: Hyperparameters) -> TranslationState:
        return TranslationState(self._translator().init(seed), 0, seed.child("order").integer())

    def step(
        self, state: TranslationState, hyperparameters: Hyperparameters, steps: int, seed: Stream
    ) -> TranslationState:
        epochs = _epochs(self.corpus, self.data, self.vocabulary, self.longest, self.max_tokens)
        # The order goes with the weights, so that they see every pair once an epoch, whichever member trains them.
        order = Stream(state.order)
        batches = [epochs.at(state.age + step, order) for step in range(steps)]
        dropouts = Dropouts(*(float(hyperparameters[f"{name}_dropout"]) for name in ("attention", "layer", "relu")))
        state.state = self._translator().train(state.state, batches, float(hyperparameters["lr"]), dropouts, seed)
        state.age += steps
        return state

    def evaluate(self, state: TranslationState, seed: Stream) -> Score:
        """BLEU on the dev set selects, BLEU on the test set is reported; NaN for weights whose training broke down."""
        corpus = self._corpus()
        loss = float(state.state.loss)
        dev, test = (self._bleu(state, part, self.sentences) for part in (corpus.dev, corpus.test))
        broken = state.age > 0 and not math.isfinite(loss)
        return Score(math.nan if broken else dev, held_out=test, metrics={"loss": loss})

    def report(self, state: TranslationState, seed: Stream) -> Score | None:
        """BLEU on the whole test set; None where evaluations translate all of it and have held it out already."""
        return None if self.sentences is None else Score(self._bleu(state, self._corpus().test, None))

    def save(self, state: TranslationState) -> Checkpoint:
        saved = self._translator().save(state.state)
        return Checkpoint(saved.tensors, {"translator": saved.json, "age": state.age, "order": state.order})

    def load(self, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> TranslationState:
        inner = Checkpoint(checkpoint.tensors, checkpoint.json["translator"])
        return TranslationState(self._translator().load(inner), checkpoint.json["age"], checkpoint.json["order"])

    def describe(self) -> dict[str, Any]:
        """What the scores depend on: BLEU's signature, and how many sentences of which corpus."""
        corpus = self._corpus()
        sizes = {"train": len(corpus.train), "dev": len(corpus.dev.references), "test": len(corpus.test.references)}
        return {"bleu": bleu.corpus(["a"], ["a"]).signature, "pairs": sizes, "translated": self.sentences}

    def _corpus(self) -> Corpus:
        return _corpus(self.corpus, self.data, self.vocabulary, self.longest)

    def _check_lengths(self, corpus: Corpus) -> None:
        """ConfigError if a sentence that is to be translated is longer than the model, which only its evaluation would find."""
        most = self._architecture().positions
        for name, part in (("dev", corpus.dev), ("test", corpus.test)):
            lengths = part.pairs.source.lengths
            if (lengths > most).any():
                line = int(lengths.argmax()) + 1
                raise ConfigError(
                    f"task.longest = {self.longest}: sentence {line} of the {name} set of {self.corpus!r} has {lengths.max()} "
                    f"pieces, end included, and the model takes {most}: task.longest = {most} leaves such pairs out"
                )

    def _check_memory(self) -> None:
        """ConfigError if the weights cannot fit this machine's memory."""
        with torch.device("meta"):  # shapes alone
            weights = sum(weight.nbytes for weight in Transformer(self._architecture()).parameters())
        sizes = ", ".join(f"task.{name} = {getattr(self, name)}" for name in ("vocabulary", "width", "ffn", "layers"))
        check_memory(f"the weights of a Transformer with {sizes}", weights)

    def _architecture(self) -> Architecture:
        size = len(self._corpus().vocabulary)
        return Architecture(size, self.width, self.ffn, self.layers, self.heads, self.pre_norm)

    def _translator(self) -> Translator[Any]:
        return translator(self.backend, self._architecture(), device=device.current())

    def _bleu(self, state: TranslationState, part: Evaluation, sentences: int | None) -> float:
        """BLEU of the first ``sentences`` of a set (None: all); its signature is in ``describe``."""
        count = len(part.references) if sentences is None else min(sentences, len(part.references))
        vocabulary = self._corpus().vocabulary
        sources = [part.pairs[index][0].tolist() for index in range(count)]
        translations = self._translator().translate(state.state, sources, self.beam)
        hypotheses = [vocabulary.decode(ids) for ids in translations]
        return bleu.corpus(hypotheses, part.references[:count]).score


@cache
def _corpus(name: str, root: str, vocabulary: int, longest: int | None) -> Corpus:
    loaded = corpus.load(name, Path(root), vocabulary)
    return loaded if longest is None else corpus.shortened(loaded, longest)


@cache
def _epochs(name: str, root: str, vocabulary: int, longest: int | None, max_tokens: int) -> Epochs:
    return Epochs(_corpus(name, root, vocabulary, longest).train, max_tokens)


TASK = Translation
