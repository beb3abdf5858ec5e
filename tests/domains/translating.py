"""Tiny Transformers, sentences and batches that tests of translation share."""

import math

import numpy as np
import pytest
import torch

from pbt_core import Stream
from pbt_core.torch import seeded
from reproductions.translation.dropout import Dropouts, Noise
from reproductions.translation.ids import EOS, PAD, SPECIAL
from reproductions.translation.padding import Batch, padded
from reproductions.translation.transformer import Architecture, Transformer

SIZES = Architecture(vocabulary=40, width=16, ffn=32, layers=2, heads=4)
NORMS = pytest.mark.parametrize("pre_norm", [True, False], ids=["pre-norm", "post-norm"])


def model_of(sizes=SIZES, seed=0):
    with seeded(Stream(seed)):
        model = Transformer(sizes)
        for parameter in model.parameters():  # biases and norms too, so that none of them is without effect
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def sentences(count, shortest=2, longest=9, vocabulary=40, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, count)
    return [[*rng.integers(SPECIAL, vocabulary, length).tolist(), EOS] for length in lengths]


def batch_of(sources, targets):
    return Batch.of(padded(sources), padded([[EOS, *ids[:-1]] for ids in targets]), padded(targets))


def noise(seed=0, **rates):
    return Noise(Dropouts(**rates), torch.Generator().manual_seed(seed))


def slow_scores(model, source, prefix):
    """Log probabilities of the id after ``said``, from a whole pass over it."""
    with torch.no_grad():
        logits = model(torch.tensor([source]), torch.tensor([prefix]))[0, -1]
    scores = logits.log_softmax(-1)
    scores[PAD] = -math.inf
    if len(prefix) == 1:
        scores[EOS] = -math.inf
    return scores
