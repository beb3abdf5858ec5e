import json
import os
import subprocess
import sys

import pytest
from waiting import LONG

from pbt_core.events import read
from reproductions.suite.cli import main
from reproductions.suite.running.execute import execute
from reproductions.suite.running.execution import resolve_execution
from reproductions.suite.running.provenance import ROOT
from reproductions.suite.study.settings import ConfigError, resolve

RUN = ["run", "toy", "pbt", "--quiet", "--out"]


def refused(capsys, tmp_path, *arguments):
    """The one line of a refused request; nothing may have been written."""
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as info:
        sys.exit(main([*arguments, "--out", str(out)]))
    assert info.value.code == 2
    assert not out.exists()
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nowhere", "pbt"], ["domain", "'nowhere'", "gan", "toy"]),
        (["run", "toy", "magic"], ["method", "'magic'", "exploit_only"]),
        (["run", "gan", "pbt", "--problem", "mnist"], ["problem = 'mnist'", "['fashion_mnist', 'cifar10']", "'gan'"]),
        (["run", "gan", "pbt", "--set", "problem=cifar10"], ["--set problem=cifar10", "argument of its own"]),
        (["run", "toy", "pbt", "--scale", "huge"], ["--scale", "huge", "laptop"]),
        (["run", "toy", "pbt", "--seed", "x"], ["--seed", "'x'"]),
        (["run", "toy", "pbt", "--seed", "-1"], ["seed", "-1", "greater than or equal to 0"]),
        (["run", "toy", "pbt", "--workers", "0"], ["workers", "0", "greater than or equal to 1"]),
        (["run", "toy", "pbt", "--variant", "a/b"], ["variant", "a/b"]),
        (["run", "toy", "pbt", "--set", "populatoin=3"], ["populatoin", "no such key"]),
        (["run", "toy", "pbt", "--set", "population=three"], ["population", "'three'", "integer"]),
        (["run", "toy", "pbt", "--set", "population"], ["population", "KEY=VALUE"]),
        (["run", "toy", "pbt", "--set", "search.exploit.fraction=0.9"], ["search.exploit.fraction: no such key"]),
        (["run", "gan", "pbt", "--set", "search.exploit.fraction=0.9"], ["search.exploit.fraction = 0.9", "0.5"]),
        (["run", "toy", "pbt", "--set", "search.ready=0"], ["search.ready = 0", "at least 1 step"]),
        (["run", "gan", "pbt", "--set", "search.ready=1"], ["search.ready = 1", "interval = 75"]),
        (["run", "toy", "pbt", "--set", "interval=500"], ["interval = 500", "steps = 200"]),
        (["run", "toy", "pbt", "--set", "task.lrr=1"], ["task.lrr", "no such key", "origin"]),
        (["run", "toy", "pbt", "--set", "task.lr=fast"], ["task.lr", "'fast'", "number"]),
        (["run", "toy", "pbt", "--set", "task.lr=-1"], ["task.lr = -1", "greater than 0"]),
        (["run", "gan", "pbt", "--set", "task.classifier_epochs=0"], ["task.classifier_epochs = 0", "greater than 0"]),
        (["run", "gan", "pbt", "--set", "task.loss=mse"], ["task.loss = 'mse'", "'wgan_gp'"]),
        (["run", "gan", "pbt", "--set", "task.samples=9"], ["task.samples = 9", "equal to 10"]),
        (["run", "atari", "pbt", "--set", "task.batch=0"], ["task.batch = 0", "equal to 1"]),
        (["run", "atari", "pbt", "--set", "task.size=5"], ["task.size = 5", "equal to 15"]),
        (["run", "atari", "pbt", "--set", "task.sticky=2"], ["task.sticky = 2", "less than or equal to 1"]),
        (["run", "classifier", "pbt", "--set", "task.select=0"], ["task.select = 0", "equal to 1"]),
        (["run", "translation", "pbt", "--set", "task.beam=0"], ["task.beam = 0", "equal to 1"]),
        (["run", "toy", "grid", "--set", "search.schedules.0.values.h0=7"], ["'h0' = 7", "[0.0, 2.0]"]),
        (["run", "gan", "hand_tuned", "--set", "search.schedules.1.final=1e-6"], ["lr_d", "must be a number in"]),
        (["run", "toy", "pbt", "--timeout", "5"], ["timeout = 5.0", "'serial' cannot be interrupted"]),
        (["run", "toy", "replay"], ["lineage", "is required"]),
        (["run", "toy", "replay", "--lineage", "/nowhere.json"], ["/nowhere.json", "no schedule"]),
        (["table", "toy", "nowhere"], ["nowhere", "no finished run"]),
        (["paper"], ["no runs were given"]),
        (["paper", "--table", "nowhere.csv"], ["nowhere.csv", "no table of runs"]),
    ],
)
def test_a_wrong_request_is_one_clear_line_and_exit_code_2_before_any_work(arguments, words, capsys, tmp_path):
    """The line names the key, the value and the rule."""
    line = refused(capsys, tmp_path, *arguments)
    for word in words:
        assert word in line


TWICE = [
    (["--seed", "1", "--seed", "2"], ["'--seed 1'", "'--seed 2'"]),
    (["--seed=1", "--seed=1"], ["'--seed 1' and '--seed 1'"]),
    (["--out", "x"], ["'--out x'"]),
    (["--sync", "--no-sync"], ["'--sync'", "'--no-sync'"]),
    (["--quiet", "--quiet"], ["'--quiet'"]),
    (["--device", "cpu", "--device", "mps"], ["'--device cpu'", "'--device mps'"]),
    (["--lease", "5", "--lease", "6"], ["'--lease 5.0'", "'--lease 6.0'"]),
    (["--seed", "1", "--set", "seed=5"], ["'--seed 1'", "'--set seed=5'"]),
    (["--seed", "5", "--set", "seed=5"], ["'--seed 5'", "'--set seed=5'"]),
    (["--variant", "a", "--set", "variant=b"], ["'--variant a'", "'--set variant=b'"]),
    (["--no-sync", "--set", "synchronous=false"], ["'--no-sync'", "'--set synchronous=false'"]),
    (["--lineage", "a", "--set", "search.lineage=b"], ["'--lineage a'", "'--set search.lineage=b'"]),
    (["--workers", "1", "--set", "workers=1"], ["'--workers 1'", "'--set workers=1'"]),
    (["--set", "steps=20", "--set", "steps=20"], ["'steps=20' and 'steps=20'"]),
    (["--set", "search.ready=2", "--set", "search={kind: pbt}"], ["'search.ready=2'", "'search={kind: pbt}'"]),
]


@pytest.mark.parametrize(("arguments", "words"), TWICE)
def test_what_is_said_twice_is_refused_with_both(arguments, words, capsys, tmp_path):
    """Equal or not: of two nobody can tell which is meant."""
    line = refused(capsys, tmp_path, "run", "toy", "pbt", *arguments)
    assert "twice" in line
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "toy", "--configfile", "a", "--configfile", "b"],
        ["plan", "toy", "--simulate", "a", "--simulate", "a"],
        ["worker", "--run", "a", "--run", "b"],
        ["track", "a", "--store", "b", "--store", "c"],
        ["ui", "--port", "1", "--port", "2"],
        ["report", "laptop", "--out", "a", "--out", "b"],
        ["figure", "toy", "a", "--out", "b", "--only", "c", "--only", "d"],
        ["table", "toy", "a", "--out", "b", "--budgets-differ", "--budgets-differ"],
        ["claims", "a", "--out", "b", "--out", "c"],
        ["readme", "--check", "--check"],
    ],
)
def test_no_command_takes_an_option_twice(arguments, capsys):
    """It is the parser that refuses, not each command."""
    with pytest.raises(SystemExit) as info:
        main(arguments)
    assert info.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "given twice; give one of them" in line


@pytest.mark.parametrize("engine", ["serial", "batched"])
def test_an_engine_without_workers_is_given_none(engine, tmp_path, capsys):
    """One is what it has; those that a scale declares for its own engine are not meant for another."""
    line = refused(capsys, tmp_path, "run", "classifier", "pbt", "--engine", engine, "--workers", "3")
    assert f"workers = 3 needs engine = 'processes' or 'ray': the engine {engine!r} has one" in line
    assert resolve_execution("classifier", "laptop", engine=engine, workers=1).workers == 1


def test_a_run_leaves_its_record_its_lineage_and_its_summary(tmp_path, capsys):
    """And says where; the summary holds settings and provenance."""
    assert main([*RUN, str(tmp_path / "run")]) == 0
    assert str(tmp_path / "run") in capsys.readouterr().out
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["finished"]
    assert summary["problem"] == summary["settings"]["problem"] == "quadratic"
    assert summary["member_steps"] == summary["budget_steps"] == 400
    assert summary["final"]["score"] > 1.0
    assert {"commit", "sources", "versions", "wall_s", "cpu_s", "settings"} <= summary.keys()
    events = read(tmp_path / "run" / "events.parquet")
    assert events == read(tmp_path / "run" / "state" / "events.jsonl")


def test_a_run_is_named_with_its_variant(tmp_path, capsys):
    """Two runs of a study that differ by it alone are told apart on the terminal."""
    assert main([*RUN, str(tmp_path), "--variant", "slow"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("toy quadratic pbt (slow) seed 0: score ")


def test_the_same_command_again_changes_nothing(tmp_path):
    """A finished run is finished."""
    for _ in range(2):
        assert main([*RUN, str(tmp_path)]) == 0
    first = (tmp_path / "events.parquet").read_bytes()
    assert main([*RUN, str(tmp_path)]) == 0
    assert (tmp_path / "events.parquet").read_bytes() == first


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--seed", "1"], "seed was 0 and is 1"),
        (["--set", "task.lr=0.02"], "task.lr was 'not there' and is 0.02"),
        (["--set", "steps=100"], "steps was 200 and is 100"),
    ],
)
def test_a_folder_with_another_run_is_refused_with_the_key_that_differs(change, words, tmp_path, capsys):
    """Also where only the task's settings differ, of which the core knows nothing."""
    assert main([*RUN, str(tmp_path)]) == 0
    before = (tmp_path / "events.parquet").read_bytes()
    assert main([*RUN, str(tmp_path), *change]) == 2
    assert f"holds another run: {words}. " in capsys.readouterr().err
    assert (tmp_path / "events.parquet").read_bytes() == before


def test_the_problem_decides_over_the_scale():
    """Without one it is the scale's first; at the paper's scale the GAN's is CIFAR-10."""

    def dataset(**chosen):
        settings = resolve("gan", "pbt", **chosen)
        return settings.problem, settings.task["dataset"]

    assert dataset() == ("fashion_mnist", "fashion_mnist")
    assert dataset(scale="paper") == ("cifar10", "cifar10")
    assert dataset(problem="cifar10") == ("cifar10", "cifar10")


@pytest.mark.parametrize(
    ("domain", "change", "has"),
    [
        ("atari", "task.game=pong", "'ms_pacman'"),
        ("starcraft", "task.map=DefeatRoaches", "'MoveToBeacon'"),
        ("dmlab", "task.level=nav_maze_static", "'seekavoid_arena'"),
        ("translation", "task.corpus=wmt14", "'catalogues'"),
        ("gan", "task={dataset: cifar10}", "'fashion_mnist'"),
        ("gan", "task={width: 4}", "'fashion_mnist'"),
    ],
)
def test_what_makes_a_problem_is_not_set_beside_its_name(domain, change, has, capsys, tmp_path):
    """The run would be kept, compared and normalised by the anchors of a problem that it is not of."""
    line = refused(capsys, tmp_path, "run", domain, "pbt", "--set", change)
    assert has in line
    assert f"use --problem, or add one to PROBLEMS of reproductions/{domain}/sweep.py" in line


def test_a_problem_may_be_set_to_what_it_is():
    """It is no change."""
    assert resolve("atari", "pbt", overrides=["task.game=ms_pacman"]) == resolve("atari", "pbt")


def test_workers_and_engine_may_change_between_a_run_and_its_resumption(tmp_path):
    """They do not belong to what is asked for."""
    assert main([*RUN, str(tmp_path), "--sync"]) == 0
    assert main([*RUN, str(tmp_path), "--sync", "--engine", "processes", "--workers", "2"]) == 0


def test_settings_are_the_same_text_in_every_process():
    """What identifies a run must not depend on the order of a set, which differs from process to process."""
    code = "from reproductions.suite.study.settings import resolve; print(resolve('gan', 'pbt').model_dump_json(by_alias=True))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=LONG,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3", "4")
    }
    assert len(outputs) == 1


def test_edited_sources_make_a_run_begin_anew_and_keep_the_old_state(tmp_path, monkeypatch, capsys):
    """What ran is what the summary says: the record of other sources is put aside, not continued."""
    settings = resolve("toy", "pbt")
    execute(settings, tmp_path)
    monkeypatch.setattr("reproductions.suite.running.states.sources_digest", lambda domain, kind: "0123456789abcdef")
    execute(resolve("toy", "pbt", overrides=["task.lr=0.02"]), tmp_path)
    assert len(list(tmp_path.glob("state-*"))) == 1
    assert "sources have changed" in capsys.readouterr().err


def test_the_engines_agree_through_the_command_line(tmp_path):
    """Serial and processes, byte for byte, as the README says."""
    for engine in ("serial", "processes"):
        assert main([*RUN, str(tmp_path / engine), "--sync", "--engine", engine, "--set", "population=3"]) == 0
    files = [(tmp_path / engine / "events.parquet").read_bytes() for engine in ("serial", "processes")]
    assert files[0] == files[1]


def test_help_of_every_command_is_printed(capsys):
    """Help never needs torch, mlflow or a domain's extras."""
    for command in ([], ["run"], ["list"], ["kinds"], ["table"], ["figure"], ["track"], ["ui"]):
        with pytest.raises(SystemExit) as info:
            main([*command, "--help"])
        assert info.value.code == 0
        assert "usage" in capsys.readouterr().out


def test_a_domain_whose_extra_is_missing_is_refused_with_the_remedy(monkeypatch):
    """One line that says what to install."""
    monkeypatch.delitem(sys.modules, "reproductions.gan.task", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigError, match=r"needs the module 'torch': pip install -c constraints\.txt -e '\.\[gan\]'"):
        resolve("gan", "pbt").build_task()


def test_the_command_line_loads_no_heavy_library_before_it_must():
    """Listing the domains takes a moment, not seconds."""
    code = "import sys; from reproductions.suite.cli import main; main(['list'])"
    code += "; print(sorted({'torch', 'mlflow', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LONG, check=True)
    assert done.stdout.strip().endswith("[]")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough_is_not_told_of_an_error(unbuffered):
    """As in ``list | head -1``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "reproductions", "list"],
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()


def test_figure_3_and_the_gains_can_be_drawn_from_a_table_of_runs_alone(tmp_path, capsys):
    """The runs of long domains need not be there again, only what was kept of them."""
    assert main(["paper", "--table", str(ROOT / "results/reference/laptop/runs.csv"), "--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{suffix}" for name in ("figure3", "gains") for suffix in ("svg", "png")
    }
    assert "human-normalised" in (tmp_path / "figure3.svg").read_text()
