"""Devices, with names of such as are not there: what each worker is told of, and what it sees."""

import os
from collections import Counter

import pytest
from placed import Placed

from pbt_core import PBT, Plan, Processes, Serial, Worker, current_worker
from pbt_core.engines.devices import kind, share_out, visible
from pbt_core.engines.worker import acting_as

METHOD = PBT(ready=10)
PLAN = Plan(population=4, steps=10, interval=10)


def seen(run):
    return Counter(event["metrics"]["visible"] for event in run.events if "metrics" in event)


@pytest.mark.parametrize(("workers", "devices"), [(4, 2), (2, 4), (3, 2), (5, 3), (1, 2)])
def test_an_even_share(workers, devices):
    """No device has two workers more than another, nor a worker two devices more, and none is left out."""
    names = [f"cuda:{number}" for number in range(devices)]
    shares = [share_out(names, worker, workers) for worker in range(workers)]
    used = Counter(name for share in shares for name in share)
    assert set(used) == set(names)
    assert max(used.values()) - min(used.values()) <= 1
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_members_are_spread_over_the_devices_each_of_which_is_all_that_its_workers_see(tmp_path, monkeypatch):
    """Four members, four workers, two cards: two members on each."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    run = Processes(workers=4, devices=("cuda:4", "cuda:7")).run(Placed(), METHOD, PLAN, tmp_path)
    assert seen(run) == {4.0: 2, 7.0: 2}


def test_devices_are_numbered_within_what_a_scheduler_lends(tmp_path, monkeypatch):
    """As torch numbers them: "cuda:1" of CUDA_VISIBLE_DEVICES=5,6 is card 6."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,6")
    run = Processes(workers=1, devices=("cuda:1",)).run(Placed(card=6), METHOD, PLAN, tmp_path / "lent")
    assert seen(run) == {6.0: 4}
    with pytest.raises(ValueError, match=r"device '2' must be below 2: CUDA_VISIBLE_DEVICES is '5,6'"):
        Processes(devices=("cuda:2",)).run(Placed(), METHOD, PLAN, tmp_path / "beyond")
    assert not (tmp_path / "beyond").exists()


@pytest.mark.parametrize(
    ("devices", "inherited", "value"),
    [
        ((), None, None),
        (("mps",), None, None),
        (("cuda:0", "1"), None, "0,1"),
        (("cuda:1",), "3,GPU-8f", "GPU-8f"),
        (("GPU-8f",), "3", "GPU-8f"),
    ],
)
def test_what_a_process_is_to_see(devices, inherited, value):
    """Of NVIDIA's cards those of its own; where it has none of them it sees what there is."""
    assert visible(devices, inherited) == value


def test_kinds_of_devices():
    """However a card is named."""
    assert [kind(name) for name in ("cuda:1", "0", "GPU-8f", "MIG-1/2", "mps", "xpu:0")] == [
        *["cuda"] * 4,
        "mps",
        "xpu",
    ]
    assert (Worker(0, 1).kind, Worker(0, 1, ("3",)).kind) == ("cpu", "cuda")


def test_the_serial_engine_tells_its_task_of_its_device(tmp_path, monkeypatch):
    """In this process, whose environment stays as it is."""
    before = dict(os.environ)
    workers = []

    class Asking(Placed):
        def evaluate(self, state, seed):
            workers.append(current_worker())
            return super(Placed, self).evaluate(state, seed)

    Serial(devices=("cuda:1",)).run(Asking(), METHOD, PLAN, tmp_path / "placed")
    assert workers == [Worker(0, 1, ("cuda:1",))] * 4
    assert current_worker() is None
    assert {**os.environ, "PYTEST_CURRENT_TEST": ""} == {**before, "PYTEST_CURRENT_TEST": ""}


def test_a_process_does_the_part_of_a_worker_for_a_while():
    """And is none again, whatever happens meanwhile."""
    with pytest.raises(KeyError, match="mps"), acting_as(Worker(0, 1, ("mps",))):
        raise KeyError(current_worker().kind)
    assert current_worker() is None


@pytest.mark.parametrize("engine", [Serial, Processes], ids=lambda engine: engine.__name__)
def test_convolutions_on_a_card_add_up_in_one_order(engine, tmp_path, monkeypatch):
    """In the run's processes and only there; for other devices nothing is set."""
    torch = pytest.importorskip("torch")
    from convolving import Convolving

    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    for devices, repeatable in ((("cuda:0",), 1.0), (("mps",), 0.0)):
        run = engine(devices=devices).run(Convolving(), METHOD, PLAN, tmp_path / devices[0][:3])
        assert {event["score"] for event in run.events if "score" in event} == {repeatable}
        assert not torch.backends.cudnn.deterministic


@pytest.mark.parametrize(
    "settings",
    [{"devices": "cuda:0"}, {"devices": ("a b",)}, {"threads": 0}, {"devices": ("cuda:x",)}, {"devices": ("xyz:9:1",)},
     {"devices": ("cuda:0", "cuda:0")}, {"devices": ("cuda:1", "1")}],
    ids=repr,
)  # fmt: skip
def test_the_serial_engine_refuses_what_cannot_be(settings):
    """By the name of the key."""
    with pytest.raises(ValueError, match=rf"^Serial: {next(iter(settings))} = "):
        Serial(**settings)
