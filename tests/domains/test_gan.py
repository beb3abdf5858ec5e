import dataclasses
import math
from pathlib import Path

import pytest
import torch

from pbt_core import Checkpoint, Lineage, Processes, Serial, Stream
from pbt_core.lineage import retrace
from pbt_core.store import digest
from pbt_core.testing import check_task
from reproductions.gan import data, metrics
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.settings import resolve

RATES = {"lr_d": 1e-3, "lr_g": 1e-3}


@pytest.mark.parametrize("loss", ["bce", "wgan_gp"])
def test_the_gan_keeps_the_contract_of_tasks(loss, smoke_gan):
    """The conformance kit, for both losses: exact reloads, no global generators, learning rates that rule."""
    check_task(dataclasses.replace(smoke_gan, loss=loss, d_steps=2))


def test_serial_and_processes_agree_to_the_last_bit_and_the_lineage_replays(smoke_gan, tmp_path):
    """Scores, weights' checksums and the retraced weights of the best member."""
    settings = resolve("gan", "pbt", scale="smoke", seed=3, population=4, steps=15)
    plan, method = settings.plan(), settings.build_method()
    runs = [e.run(smoke_gan, method, plan, tmp_path / str(i)) for i, e in enumerate((Serial(), Processes(workers=2)))]
    assert runs[0].events == runs[1].events
    again = retrace(smoke_gan, Lineage(runs[0].events).schedule(), seed=3)
    assert digest(smoke_gan.save(again)) == digest(smoke_gan.save(runs[1].state(smoke_gan)))


def test_the_generator_learns_within_seconds(smoke_gan):
    """Laptop's networks, 120 steps: the Inception score leaves that of an untrained generator clearly."""
    scored = [f"task.classifier_epochs={smoke_gan.classifier_epochs}", "task.samples=300"]
    task = resolve("gan", "pbt", overrides=scored).build_task()
    seed = Stream(0)
    state = task.init(seed.child("init"), RATES)
    before = task.evaluate(state, seed.child("evaluate"))
    after = task.evaluate(task.step(state, RATES, 120, seed.child("step")), seed.child("evaluate"))
    assert after.value > before.value + 0.5
    assert after.metrics["fid"] < before.metrics["fid"]


def test_the_reported_score_is_of_other_samples_than_the_selecting_one(smoke_gan):
    """Same generator, two independent sets: close, but not the same number."""
    score = smoke_gan.evaluate(smoke_gan.init(Stream(0), RATES), Stream(1))
    assert score.value != score.held_out
    assert score.value == pytest.approx(score.held_out, abs=0.3)


def test_a_generator_with_infinite_weights_has_a_score_that_says_so(smoke_gan):
    """A diverged member must be seen as one."""
    saved = smoke_gan.save(smoke_gan.init(Stream(0), RATES))
    broken = Checkpoint({name: array * math.nan for name, array in saved.tensors.items()})
    assert math.isnan(smoke_gan.evaluate(smoke_gan.load(broken, RATES), Stream(0)).value)


def test_the_papers_scale_is_refused_with_the_remedy_where_the_inception_weights_are_missing(monkeypatch, tmp_path):
    """Before any data is looked for: which file, and where it belongs."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    settings = resolve("gan", "pbt", scale="paper")
    with pytest.raises(ConfigError, match=r"task.imagenet = True: .*6726825d\.pth"):
        settings.build_task().prepare(settings.plan())


def test_pictures_of_the_best_generator_are_kept_with_the_run(smoke_gan):
    """64 images as they came."""
    pictures = smoke_gan.illustrate(smoke_gan.init(Stream(0), RATES), Stream(1))["samples"]
    assert pictures.shape == (64, 1, 28, 28)
    assert pictures.dtype.name == "uint8"


def test_our_frechet_distance_of_the_real_test_images_is_small(smoke_gan):
    """Real against real is near 0 where an untrained generator is far away."""
    dataset = data.load(smoke_gan.dataset, Path(smoke_gan.data))
    features = smoke_gan.classifier().features(data.scaled(dataset.test_images[:2000]))
    real = metrics.fid(features, smoke_gan.real_statistics())
    untrained = smoke_gan.evaluate(smoke_gan.init(Stream(0), RATES), Stream(0)).metrics["fid"]
    assert real < 5 < untrained / 10
    assert torch.isfinite(features).all()


def test_the_final_report_is_the_score_of_new_samples_as_many_as_asked_for(smoke_gan):
    """Neither those that selected nor those that were held out; the same again for the same stream."""
    state = smoke_gan.init(Stream(0), RATES)
    task = dataclasses.replace(smoke_gan, report_samples=300)
    reported = task.report(state, Stream(1))
    images = task.sample(state, 300, Stream(1).child("final"))
    assert reported.value == metrics.inception_score(task.classifier().outputs(images)[0], rng_seed=0)[0]
    assert reported.value not in (task.evaluate(state, Stream(1)).value, task.evaluate(state, Stream(1)).held_out)
