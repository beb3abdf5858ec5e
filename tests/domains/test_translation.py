from pathlib import Path

import numpy as np
import pytest

from pbt_core import PBT, Plan, Processes, Serial, Stream
from reproductions.shared.assets import DataError
from reproductions.suite.study.registry import ConfigError
from reproductions.translation import corpus
from reproductions.translation.task import Translation
from reproductions.translation.transformer import Architecture

TINY = {"width": 16, "ffn": 32, "layers": 1, "heads": 2, "max_tokens": 256, "sentences": 20, "vocabulary": 500}
PLAN = Plan(population=3, steps=6, interval=2)
HAND_SET = {"lr": 2e-3, "attention_dropout": 0.1, "layer_dropout": 0.1, "relu_dropout": 0.1}


@pytest.fixture(scope="module")
def task():
    prepared = Translation(**TINY)
    prepared.prepare(PLAN)
    return prepared


def test_runs_are_the_same_for_any_number_of_workers(task, tmp_path):
    """Order of the data, dropout and BLEU included."""
    runs = [
        engine.run(task, PBT(ready=2), PLAN, tmp_path / str(index)).events
        for index, engine in enumerate((Serial(), Processes(workers=2)))
    ]
    assert runs[0] == runs[1]


def test_an_epoch_is_seen_once_whatever_the_intervals(task):
    """The order of the data goes with the weights and their age, not with who trains them in which portions."""
    plain = {**dict.fromkeys(HAND_SET, 0.0), "lr": 2e-3}  # no dropout, whose masks belong to the call
    whole = task.step(task.init(Stream(0), plain), plain, 4, Stream(1))
    state = task.init(Stream(0), plain)
    for part in range(2):
        state = task.load(task.save(state), HAND_SET)
        state = task.step(state, plain, 2, Stream(2 + part))
    ours, theirs = (task.save(s).tensors for s in (whole, state))
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_weights_whose_training_broke_down_score_nan(task):
    """So that they can never be a parent."""
    state = task.init(Stream(0), HAND_SET)
    state.state.model.load_state_dict({k: v * float("inf") for k, v in state.state.model.state_dict().items()})
    state = task.step(state, HAND_SET, 1, Stream(1))
    assert np.isnan(task.evaluate(state, Stream(2)).value)


def test_the_summary_can_tell_what_bleu_was_computed_with(task):
    """A BLEU without its signature cannot be compared."""
    description = task.describe()
    assert "version:" in description["bleu"]
    assert description["pairs"]["train"] > 15_000


def test_missing_data_and_impossible_settings_are_one_line_before_any_work(tmp_path, monkeypatch):
    """With the key that was set."""
    with pytest.raises(ConfigError, match=r"task.corpus = 'wmt14': .*train.en"):
        Translation(corpus="wmt14", data=str(tmp_path)).prepare(PLAN)

    def gone(*_):
        raise DataError("no network")

    monkeypatch.setitem(corpus.SOURCES, "catalogues", gone)
    with pytest.raises(ConfigError, match=r"task\.corpus = 'catalogues': no network"):
        Translation(data=str(tmp_path)).prepare(PLAN)


def test_a_sentence_that_the_model_cannot_read_is_found_before_any_work(task, monkeypatch):
    """Not at the first evaluation, after an interval of training."""
    monkeypatch.setattr(Translation, "_architecture", lambda self: Architecture(2000, 16, 32, 1, 2, True, positions=12))
    with pytest.raises(ConfigError, match=r"task\.longest = None: sentence \d+ of the dev set .* the model takes 12: "):
        task.prepare(PLAN)


def test_settings_that_do_not_fit_together_are_refused(task):
    """Sizes of the network, and batches too small for the longest pair."""
    with pytest.raises(ConfigError, match="width = 18 must be even and a multiple of heads = 4"):
        Translation(**{**TINY, "width": 18, "heads": 4}).prepare(PLAN)
    with pytest.raises(ConfigError, match="max_tokens = 5"):
        Translation(**{**TINY, "max_tokens": 5}).prepare(PLAN)


def test_training_lowers_the_loss_from_that_of_a_uniform_guess(task):
    """log 500 = 6.2 nats; BLEU follows much later."""
    state = task.init(Stream(0), HAND_SET)
    assert np.isfinite(task.evaluate(state, Stream(0)).value)
    state = task.step(state, HAND_SET, 20, Stream(1))
    before = task.evaluate(state, Stream(0)).metrics["loss"]
    state = task.step(state, HAND_SET, 100, Stream(2))
    assert task.evaluate(state, Stream(0)).metrics["loss"] < before - 0.2


def test_the_whole_test_set_is_reported_where_evaluations_translate_a_part_of_it(task):
    """Otherwise they have held it out already, and there is nothing more to report."""
    state = task.init(Stream(3), HAND_SET)
    few = Translation(**{**TINY, "longest": 8})
    few.prepare(PLAN)
    everything = Translation(**{**TINY, "longest": 8, "sentences": None})
    reported = few.report(state, Stream(1))
    assert reported.value == everything.evaluate(state, Stream(2)).held_out
    assert everything.report(state, Stream(1)) is None


def test_pairs_that_are_too_long_are_left_out_of_all_sets_and_none_left_is_an_error():
    """On both sides, end of sentence included; references go with their sentences."""
    whole = corpus.load("catalogues", Path("data"), 500)
    short = corpus.shortened(whole, 12)
    for before, after in ((whole.train, short.train), (whole.dev.pairs, short.dev.pairs)):
        fits = [max(map(len, pair)) <= 12 for pair in before]
        assert 0 < len(after) == sum(fits) < len(before)
        assert max(after.source.lengths.max(), after.target.lengths.max()) == 12
    for number in range(len(short.dev.references)):
        assert whole.vocabulary.decode(short.dev.pairs[number][1]) == short.dev.references[number]
    with pytest.raises(ConfigError, match=r"longest = 1: no pair of the train set"):
        Translation(**TINY, longest=1).prepare(PLAN)
