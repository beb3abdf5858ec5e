"""What domains keep on an NVIDIA card: the contract, equal records for any number of workers, rounding. Skipped without one."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA card on this machine")

from pbt_core import Stream, Worker  # noqa: E402
from pbt_core.engines.worker import acting_as  # noqa: E402
from pbt_core.testing import check_population  # noqa: E402
from reproductions.gan import arithmetic  # noqa: E402
from reproductions.suite.cli import main  # noqa: E402
from reproductions.suite.study import registry  # noqa: E402
from reproductions.suite.study.conformance import check_domain_task  # noqa: E402
from reproductions.suite.study.requirements import missing  # noqa: E402
from reproductions.suite.study.settings import resolve  # noqa: E402

CARD = Worker(0, 1, ("cuda:0",))


def smoke(domain):
    """Its settings at smoke scale, and its task with its data."""
    settings = resolve(domain, "pbt", scale="smoke")
    if reasons := missing(domain, settings.task):
        pytest.skip(f"{domain} needs {reasons[0]}")
    task = settings.build_task()
    if CARD.kind not in task.devices:
        pytest.skip(f"{domain} computes on {', '.join(task.devices)} alone")
    task.prepare(settings.plan())
    return settings, task


@pytest.fixture
def float32(monkeypatch):
    """Products have all their digits: neither TF32 nor bfloat16."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    monkeypatch.setattr(arithmetic, "name", lambda device: "float32")


@pytest.mark.parametrize("domain", registry.domains())
def test_a_domain_keeps_its_contract_on_the_card(domain):
    """Among its rules: training is repeatable to the bit, also after a state was saved and loaded."""
    settings, task = smoke(domain)
    with acting_as(CARD):
        check_domain_task(task, settings.plan(), steps=min(settings.interval, 80))


@pytest.mark.parametrize("domain", registry.domains())
def test_the_record_is_the_same_for_any_number_of_workers_that_share_the_card(domain, tmp_path):
    """In this process, and by two that each have the card."""
    smoke(domain)
    run = ["run", domain, "pbt", "--scale", "smoke", "--device", "cuda:0", "--quiet"]
    for name, how in (("one", ["--engine", "serial"]), ("two", ["--engine", "processes", "--workers", "2"])):
        assert main([*run, *how, "--out", str(tmp_path / name)]) == 0
    one, two = ((tmp_path / name / "events.parquet").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize(
    "domain", [domain for domain in registry.domains() if hasattr(registry.task_class(domain), "step_all")]
)
def test_the_population_form_trains_each_member_as_it_trains_alone_on_the_card(domain, float32):
    """To a relative 1e-3 or absolute 1e-4: products of many matrices are added up in other orders than those of one.

    Adam makes whole steps of the GAN's small gradients: 0.1 or 0.01. A small epsilon of RMSProp would divide rounding by
    nearly nothing.
    """
    settings, task = smoke(domain)
    relative, absolute = (0.1, 0.01) if domain == "gan" else (1e-3, 1e-4)
    if hasattr(task, "epsilon"):
        task = dataclasses.replace(task, epsilon=1e-2)
    with acting_as(CARD):
        check_population(task, steps=min(settings.interval, 80), relative=relative, absolute=absolute)


def test_the_classifier_on_the_card_is_that_on_the_processor_up_to_rounding(float32):
    """All draws are made on the processor: what is left is the order of sums."""
    _, task = smoke("classifier")
    hyperparameters = task.space.sample(Stream(0).generator())
    ends = []
    for worker in (None, CARD):
        with acting_as(worker):
            state = task.step(task.init(Stream(1), hyperparameters), hyperparameters, 60, Stream(2))
            ends.append((task.save(state).tensors, task.evaluate(state, Stream(3)).value))
    (on_processor, score), (on_card, same_score) = ends
    for name, expected in on_processor.items():
        np.testing.assert_allclose(on_card[name], expected, rtol=1e-3, atol=1e-5, err_msg=name)
    assert same_score == pytest.approx(score, abs=0.1)
