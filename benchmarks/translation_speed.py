"""Training and decoding speed of a small Transformer: python benchmarks/translation_speed.py [--out FILE]

Contenders, all with the same sizes (d 128, ffn 512, 2 + 2 layers, 4 heads, vocabulary 2,000), batches (1,024 target tokens),
dropouts (0.1 each), label smoothing, Adam and one thread:

* ``torch``: our Transformer as a member of a population trains it;
* ``torch_bfloat16``: the same with matrices multiplied in bfloat16, for CPUs that have it;
* ``fairseq``: fairseq's Transformer through its own ``Trainer.train_step``, if it is installed.

Sentences are random ids with the lengths of pairs of about 12 words, so no data is needed. Decoding starts from untrained
weights: nothing ends early, so each sentence costs its cap (1.2 x source + 8 ids). Contenders take turns over the rounds,
in one process; the fastest round of each is printed, since whatever else the machine does can only slow it down.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from reporting import keep

sys.path.insert(0, str(Path(__file__).parent.parent))

from pbt_core import Stream
from pbt_core.engines.base import limit_threads
from reproductions.translation.dropout import Dropouts
from reproductions.translation.ids import EOS, PAD, SPECIAL
from reproductions.translation.padding import Batch
from reproductions.translation.trainer import Translator, translator
from reproductions.translation.transformer import Architecture

SIZES = Architecture(vocabulary=2000)
DROPOUTS = Dropouts(0.1, 0.1, 0.1)
LR = 1e-3
TOKENS = 1024  # of a batch: its sentences times the longest
WORDS, PIECES = 12, 1.5  # mean length of a sentence, and pieces of a vocabulary of 2,000 a word


def lengths(rng: np.random.Generator, pairs: int) -> np.ndarray[Any, Any]:
    """Pieces of source and target, ``EOS`` included: int [pairs, 2]. Targets follow their sources."""
    source = np.clip(rng.gamma(4.0, WORDS / 4.0, pairs), 3, 40) * PIECES
    target = source * rng.lognormal(0.0, 0.15, pairs)
    return np.stack([source, target], 1).round().astype(np.int64) + 1


def batches(rng: np.random.Generator, count: int) -> list[Batch]:
    """``count`` of the batches that pairs sorted by length are cut into, in random order."""
    sizes = lengths(rng, 100 * count)
    cut: list[list[int]] = [[]]
    for pair in np.lexsort((sizes[:, 1], sizes[:, 0])):
        longest = sizes[[*cut[-1], pair]].max()
        if longest * (len(cut[-1]) + 1) > TOKENS:
            cut.append([])
        cut[-1].append(pair)
    chosen = rng.permutation(len(cut) - 1)[:count]
    return [batch(rng, sizes[cut[index]]) for index in chosen]


def batch(rng: np.random.Generator, sizes: np.ndarray[Any, Any]) -> Batch:
    """Random ids of the given lengths [B, 2]."""
    source, target = (sentences(rng, sizes[:, side]) for side in (0, 1))
    previous = np.roll(target, 1, 1)
    previous[previous == EOS] = PAD
    previous[:, 0] = EOS
    return Batch.of(source, previous, target)


def sentences(rng: np.random.Generator, sizes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Random ids int64 [B, longest], ``EOS`` at the end of each."""
    places = np.arange(sizes.max())
    ids = rng.integers(SPECIAL, SIZES.vocabulary, (len(sizes), len(places)))
    ids[places == sizes[:, None] - 1] = EOS
    ids[places >= sizes[:, None]] = PAD
    return ids


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--sentences", type=int, default=500)
    arguments = parser.parse_args()
    limit_threads(1)
    rng = Stream(0).generator()
    epoch = batches(rng, arguments.batches)
    sources = [sentences(rng, size)[0].tolist() for size in lengths(rng, arguments.sentences)[:, :1]]
    contenders: dict[str, Translator[Any]] = {
        "torch": translator("torch", SIZES),
        "torch_bfloat16": translator("torch", SIZES, precision="bfloat16"),
    }
    if importlib.util.find_spec("fairseq") is None:
        print("fairseq is not installed: pip install -c constraints.txt -e '.[fairseq]'", file=sys.stderr)
    else:
        contenders["fairseq"] = translator("fairseq", SIZES)
    untrained = {name: contender.init(Stream(0)) for name, contender in contenders.items()}
    states = {name: contender.init(Stream(0)) for name, contender in contenders.items()}
    tokens = sum(one.tokens for one in epoch)
    rates = dict.fromkeys(contenders, 0.0)
    seconds: dict[tuple[str, int], float] = {}
    for number in range(arguments.rounds):
        for name, contender in contenders.items():
            print(f"round {number + 1} of {arguments.rounds}: {name} ...", file=sys.stderr, flush=True)
            begun = time.process_time()
            contender.train(states[name], epoch, LR, DROPOUTS, Stream(number))
            rates[name] = max(rates[name], tokens / (time.process_time() - begun))
            for beam in (1, 4):
                begun = time.process_time()
                contender.translate(untrained[name], sources, beam)
                seconds[name, beam] = min(seconds.get((name, beam), np.inf), time.process_time() - begun)
    report: dict[str, Any] = {
        "target_tokens_per_batch": round(tokens / len(epoch), 1),
        "sentences": len(sources),
        "mean_source_ids": round(float(np.mean([len(source) for source in sources])), 1),
    }
    for name, rate in rates.items():
        report[f"{name}_target_tokens_per_cpu_s"] = round(rate, 1)
        report[f"{name}_greedy_cpu_s"] = round(seconds[name, 1], 3)
        report[f"{name}_beam_4_cpu_s"] = round(seconds[name, 4], 3)
        if "fairseq" in rates and name != "fairseq":
            report[f"{name}_over_fairseq_training"] = round(rate / rates["fairseq"], 3)
            report[f"{name}_over_fairseq_greedy"] = round(seconds["fairseq", 1] / seconds[name, 1], 3)
            report[f"{name}_over_fairseq_beam_4"] = round(seconds["fairseq", 4] / seconds[name, 4], 3)
    print(json.dumps(report, indent=1))
    keep(report, arguments.out)


if __name__ == "__main__":
    main()
