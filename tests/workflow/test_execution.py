"""How a run is carried out is not what is asked for; what its numbers depend on is kept with it."""

import json
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
from reporting import Reporting

from pbt_core import Batched, Leased, Processes, Ray, Serial
from pbt_core.events import read
from reproductions.suite.cli import main
from reproductions.suite.results import schemas
from reproductions.suite.running.accelerators import accelerator_names
from reproductions.suite.running.execute import execute
from reproductions.suite.running.execution import ENGINES, EngineKind, resolve_execution
from reproductions.suite.study import registry
from reproductions.suite.study.domain import TORCH_DEVICES
from reproductions.suite.study.settings import EXECUTION, ConfigError, resolve
from reproductions.toy.task import Toy

ASKED = resolve("toy", "pbt", overrides=["steps=12", "population=4"], synchronous=True)


class Killed(Exception):
    """A run that is interrupted."""


def killed_after(events):
    """Shows a run until so many events, then ends it."""
    left = [events]

    def observe(event):
        left[0] -= 1
        if not left[0]:
            raise Killed

    return lambda earlier: nullcontext(observe)


def how(**chosen):
    return resolve_execution("toy", "laptop", **chosen)


@pytest.fixture
def cards(monkeypatch):
    """Two cards that are not there."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)


@pytest.fixture
def placed(cards, monkeypatch):
    """The toy, able to use them."""
    monkeypatch.setattr(registry, "task_class", lambda domain: Reporting)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"engine": "processes", "workers": 1}, {"engine": "processes", "workers": 2}),
        ({"engine": "serial"}, {"engine": "processes", "workers": 2, "timeout": 3600.0}),
        ({"engine": "processes", "workers": 2}, {"engine": "serial"}),
    ],
    ids=["more workers", "processes after serial", "serial after processes"],
)
def test_a_run_goes_on_however_it_is_carried_out(first, second, tmp_path):
    """To the record of one that was never interrupted; the summary tells how the last session went about it."""
    with pytest.raises(Killed):
        execute(ASKED, tmp_path / "run", killed_after(17), execution=how(**first))
    assert 10 < len(read(tmp_path / "run" / "state" / "events.jsonl")) < 40
    summary = execute(ASKED, tmp_path / "run", execution=how(**second))
    execute(ASKED, tmp_path / "whole")
    records = [(tmp_path / name / "state" / "events.jsonl").read_bytes() for name in ("run", "whole")]
    assert records[0] == records[1]
    assert summary["execution"] == {
        "workers": 1,
        "device": "cpu",
        "threads": 1,
        "timeout": None,
        **second,
    }


def test_the_request_holds_what_is_asked_for_alone(tmp_path):
    """Neither it nor the settings of the summary say how it was carried out; numerics have a file of their own."""
    summary = execute(ASKED, tmp_path, execution=how(engine="processes", workers=2))
    state = tmp_path / "state"
    request = json.loads((state / "request.json").read_text())
    assert request["settings"] == summary["settings"]
    assert not {*EXECUTION} & {*summary["settings"], *summary["settings"]["task"]}
    assert summary["numerics"] == json.loads((state / "numerics.json").read_text())
    assert summary["numerics"] == {"device": "cpu", "threads": 1, "form": "member"}


@pytest.mark.parametrize("key", EXECUTION)
def test_what_is_no_setting_has_an_option_that_the_error_names(key):
    """Also where it has the value that it has anyway."""
    with pytest.raises(
        ConfigError, match=f"--set {key} = .*: how a run is carried out is no setting of it: use --{key}"
    ):
        resolve("toy", "pbt", overrides=[f"{key}=1"])


@dataclass(frozen=True)
class Patient(Serial):
    """An engine of one's own, with an option that another engine has too."""

    staleness: int | None = None


def test_an_engine_that_is_named_once_is_chosen_told_checked_and_summarised(tmp_path, monkeypatch, capsys):
    """By the fields of its dataclass."""
    monkeypatch.setitem(ENGINES, "patient", EngineKind(Patient))
    run = ["run", "toy", "pbt", "--quiet", "--set", "steps=12", "--out", str(tmp_path), "--engine"]
    assert main([*run, "patient", "--staleness", "2", "--threads", "2"]) == 0
    summary = schemas.Summary.model_validate_json((tmp_path / "summary.json").read_bytes())
    assert summary.execution.model_dump() == {
        "engine": "patient", "workers": 1, "device": "cpu", "threads": 2, "timeout": None, "staleness": 2
    }  # fmt: skip
    assert how(engine="patient", staleness=2).build_engine(("cuda:0", "cuda:1")) == Patient(1, ("cuda:0",), 2)
    capsys.readouterr()
    assert main([*run, "serial", "--staleness", "2"]) == 2
    assert "staleness needs engine = 'simulated' or 'patient'" in capsys.readouterr().err
    assert main([*run, "patient", "--timeout", "2"]) == 2
    assert (
        "needs an engine of ['processes', 'leased', 'ray']: 'patient' cannot be interrupted" in capsys.readouterr().err
    )
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "of the engine simulated or patient: " in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("how_it_is_said", "engine"),
    [
        ({"engine": "processes", "workers": 3, "timeout": 9.0}, Processes(3, 9.0, 1, ())),
        ({"engine": "leased", "lease": 5.0, "timeout": 9.0, "threads": 2}, Leased(5.0, 9.0, 2)),
        ({"engine": "leased"}, Leased()),
        ({"engine": "batched", "threads": 2}, Batched(threads=2)),
        (
            {"engine": "ray", "workers": 2, "threads": 3, "timeout": 9.0, "address": "auto"},
            Ray(2, cpus=3.0, timeout=9.0, threads=3, address="auto"),
        ),
    ],
)
def test_an_engine_is_given_what_is_said_of_it(how_it_is_said, engine):
    """Under the names of its fields; what nobody says is the engine's own default."""
    assert how(**how_it_is_said).build_engine(()) == engine


def test_what_an_engine_refuses_is_one_line_before_any_work(tmp_path, capsys):
    """Whichever it is: its own words, with the exit code of a wrong request."""
    out = tmp_path / "run"
    assert main(["run", "toy", "pbt", "--quiet", "--engine", "ray", "--address", "foo", "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "engine = 'ray': Ray: address = 'foo' must be 'auto', 'local', HOST:PORT" in line
    assert not out.exists()


def test_a_run_is_not_gone_on_with_where_numbers_come_out_otherwise(tmp_path, monkeypatch, capsys):
    """One line that names both, before any work; where they are the same, another machine will do."""
    run = ["run", "toy", "pbt", "--quiet", "--set", "steps=12", "--out", str(tmp_path)]

    def arithmetic(name):
        monkeypatch.setattr(Toy, "numerics", lambda task: {"device": "cpu", "arithmetic": name})

    arithmetic("bfloat16")
    assert main(run) == 0
    record = (tmp_path / "state" / "events.jsonl").read_bytes()
    capsys.readouterr()
    arithmetic("float32")
    assert main(run) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path} was made with other numerics: arithmetic was 'bfloat16' and is 'float32'" in line
    arithmetic("bfloat16")
    assert main([*run, "--threads", "2"]) == 2
    assert "threads was 1 and is 2" in capsys.readouterr().err
    assert main([*run, "--engine", "processes"]) == 0
    assert (tmp_path / "state" / "events.jsonl").read_bytes() == record


@pytest.mark.parametrize(("content", "words"), [(None, "No such file"), ("[]", "should be"), ("{", "not JSON")])
def test_numerics_that_are_none_are_one_line_with_the_file(content, words, tmp_path):
    """A state whose numerics nobody can tell is not gone on with."""
    execute(ASKED, tmp_path)
    path = tmp_path / "state" / "numerics.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(ConfigError, match=rf"numerics\.json.*{words}"):
        execute(ASKED, tmp_path)


# -- devices -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:0,cuda:0", "cuda:0,mps", "cuda,cuda", "", "cpu:0"])
def test_a_device_that_is_none_is_refused(device):
    """With the value and what it may be."""
    with pytest.raises(ConfigError, match=f"device = '{device}' must be cpu, mps, cuda"):
        how(device=device)


def test_a_device_that_is_not_there_is_one_line_before_any_work(monkeypatch, tmp_path, capsys):
    """It says what torch was built for. CUDA is not initialised, or workers could not be forked."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setattr("torch.version.cuda", None)
    run = ["run", "classifier", "pbt", "--scale", "smoke", "--out", str(tmp_path / "run"), "--device"]
    assert main([*run, "cuda"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "device = 'cuda': torch finds none on this machine" in line
    assert line.endswith("was built for the processor alone")
    monkeypatch.setattr("torch.version.cuda", "12.8")
    assert main([*run, "cuda:1"]) == 2
    assert capsys.readouterr().err.endswith("was built for CUDA 12.8\n")
    assert main([*run, "mps"]) == 2
    assert "finds no Apple GPU" in capsys.readouterr().err
    assert not torch.cuda.is_initialized()
    assert not (tmp_path / "run").exists()


def test_a_task_without_accelerators_says_so():
    """The toy has no tensors to move."""
    with pytest.raises(ConfigError, match="device = 'cuda': its task computes on cpu alone"):
        accelerator_names("cuda", Toy().devices)


def test_names_stand_for_the_cards_that_are_there(cards):
    """All of them, or those that are named."""
    assert accelerator_names("cpu", TORCH_DEVICES) == ()
    assert accelerator_names("cuda", TORCH_DEVICES) == ("cuda:0", "cuda:1")
    assert accelerator_names("cuda:1,cuda:0", TORCH_DEVICES) == ("cuda:1", "cuda:0")
    with pytest.raises(ConfigError, match="device = 'cuda:0,cuda:2': cuda:2 must be one of cuda:0, cuda:1"):
        accelerator_names("cuda:0,cuda:2", TORCH_DEVICES)


def test_engines_are_made_as_the_execution_says():
    """One worker a card unless somebody says otherwise; the serial engine has the first."""
    both = ("cuda:0", "cuda:1")
    gan = resolve_execution("gan", "laptop", device="cuda", timeout=60.0)
    assert gan.build_engine(both) == Processes(workers=2, timeout=60.0, devices=both)
    assert resolve_execution("gan", "laptop").build_engine(()) == Processes()
    chosen = resolve_execution("gan", "paper", workers=4, threads=2)
    assert chosen.device == "cuda"
    assert chosen.build_engine(both) == Processes(workers=4, threads=2, devices=both)
    assert how(engine="serial", device="cuda").build_engine(both) == Serial(devices=("cuda:0",))
    with pytest.raises(ConfigError, match="'cuda:0,cuda:1' needs engine = 'processes'"):
        how(engine="serial", device="cuda:0,cuda:1")
    with pytest.raises(ConfigError, match=r"engine = 'telepathy' must be one of \['serial', 'processes', "):
        how(engine="telepathy")


def test_members_are_spread_over_the_cards_and_the_record_says_cuda(placed, tmp_path):
    """Each worker sees its own; the same request on a processor is the same run with other numerics."""
    asked = resolve(
        "toy", "pbt", overrides=["steps=4", "interval=4", "population=4", "search.ready=4"], synchronous=True
    )
    summary = execute(asked, tmp_path, execution=how(engine="processes", workers=4, device="cuda"))
    events = read(tmp_path / "events.parquet")
    assert Counter(event["metrics"]["card"] for event in events if event["event"] == "evaluated") == {0.0: 2, 1.0: 2}
    assert summary["execution"]["device"] == "cuda"
    assert summary["numerics"]["device"] == "cuda"
    assert summary["numerics"]["convolutions"] == "tf32"
    assert "device" not in summary["settings"]
    with pytest.raises(ConfigError, match=r"other numerics: .*device was 'cuda' and is 'cpu'"):
        execute(asked, tmp_path)
    again = execute(asked, tmp_path, execution=how(engine="serial", device="cuda:1"))
    assert again["final"]["score"] == summary["final"]["score"]
