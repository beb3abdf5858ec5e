"""Where tasks keep their tensors. "meta" stands for an accelerator that is not there: it has shapes and no numbers."""

import pytest

torch = pytest.importorskip("torch")

from pbt_core import Stream, Worker  # noqa: E402
from pbt_core.engines.worker import acting_as  # noqa: E402
from reproductions.shared import device  # noqa: E402
from reproductions.suite.study import registry  # noqa: E402
from reproductions.suite.study.domain import DomainTask  # noqa: E402
from reproductions.suite.study.requirements import missing  # noqa: E402
from reproductions.suite.study.settings import resolve  # noqa: E402
from reproductions.translation.dropout import dropout  # noqa: E402

META = Worker(0, 1, ("meta",))


@pytest.mark.parametrize(
    ("worker", "name"),
    [
        (None, "cpu"),
        (Worker(0, 1), "cpu"),
        (Worker(0, 1, ("mps",)), "mps"),
        (Worker(2, 3, ("cuda:2",), isolated=True), "cuda:0"),
        (Worker(2, 3, ("GPU-8f",), isolated=True), "cuda:0"),
        (Worker(0, 1, ("cuda:2",)), "cuda:2"),
        (Worker(0, 1, ("2",)), "cuda:2"),
        (Worker(0, 1, ("cuda",)), "cuda:0"),
    ],
)
def test_the_device_of_a_process_is_that_of_its_worker(worker, name):
    """A process that sees its cards alone numbers them from 0; one that sees all has them by their numbers."""
    with acting_as(worker):
        assert device.current() == torch.device(name)


def test_a_card_without_a_number_is_refused_where_all_are_seen():
    """Nobody can tell which one it is."""
    with acting_as(Worker(0, 1, ("GPU-8f",))), pytest.raises(ValueError, match=r"device 'GPU-8f' must be cuda:N"):
        device.current()


@pytest.mark.parametrize("allowed", [True, False])
def test_numerics_on_a_card_say_how_float32_is_multiplied_there(allowed, monkeypatch):
    """Convolutions use TF32 by torch's default, of which the numbers on a processor know nothing."""
    task = DomainTask()
    assert task.numerics() == {"device": "cpu"}
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", allowed)
    with acting_as(Worker(0, 1, ("cuda:1",))):
        numerics = {"device": "cuda", "convolutions": "tf32" if allowed else "float32", "matrix_products": "float32"}
        assert task.numerics() == numerics
    with acting_as(Worker(0, 1, ("mps",))):
        assert task.numerics() == {"device": "mps"}


def tensors(value):
    """All tensors in a state, however deep."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, torch.nn.Module):
        yield from [*value.parameters(), *value.buffers()]
    elif hasattr(value, "__dict__"):
        for part in vars(value).values():
            yield from tensors(part)


def made(domain):
    settings = resolve(domain, "pbt", scale="smoke")
    if reasons := missing(domain, settings.task):
        pytest.skip(f"{domain} needs {reasons[0]}")
    task = settings.build_task()
    task.prepare(settings.plan())
    return task, registry.sweep(domain).SPACE.sample(Stream(0).generator())


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter:UserWarning")
@pytest.mark.parametrize("domain", ["classifier", "gan", "translation"])
def test_a_new_member_is_on_the_device_of_its_worker(domain):
    """All of it, and a checkpoint of a member on the processor is loaded there."""
    task, hyperparameters = made(domain)
    saved = task.save(task.init(Stream(0), hyperparameters))
    with acting_as(META):
        for state in (task.init(Stream(0), hyperparameters), task.load(saved, hyperparameters)):
            assert {tensor.device.type for tensor in tensors(state)} == {"meta"}


def test_the_classifier_trains_there_on_the_same_draws():
    """Its generator ends where that of a training on the processor does."""
    task, hyperparameters = made("classifier")
    ends = []
    for worker in (None, META):
        with acting_as(worker), pytest.MonkeyPatch.context() as patch:
            rng = torch.Generator().manual_seed(0)
            patch.setattr("reproductions.classifier.task._torch", lambda seed, rng=rng: rng)
            state = task.step(task.init(Stream(0), hyperparameters), hyperparameters, 3, Stream(0))
            assert {tensor.device.type for tensor in tensors(state)} == {"meta" if worker else "cpu"}
            ends.append(rng.get_state())
    assert torch.equal(*ends)


def test_the_masks_of_dropouts_are_drawn_on_the_processor_whichever_device_they_are_for():
    """So that a run on another device differs by rounding alone."""
    ends = []
    for place in ("cpu", "meta"):
        rng = torch.Generator().manual_seed(0)
        assert dropout(torch.ones(5, 7, device=place), 0.5, rng).device.type == place
        ends.append(rng.get_state())
    assert torch.equal(*ends)
