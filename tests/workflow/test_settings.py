"""Values of settings: what cannot be is refused at once, in one line, and leaves nothing on the disk."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from reproductions.suite.cli import Stopped, main, stoppable
from reproductions.suite.study.settings import ConfigError, resolve

RUN = ["run", "toy", "pbt", "--quiet", "--engine", "processes", "--out", "out"]
DOUBLED = ", ".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))
BOMB = f"{{a0: &a0 [1, 1], {DOUBLED}}}"  # 2^40 values


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        *(
            (["--set", text], words)
            for text, words in [
                ("population=true", ["population = True", "integer"]),
                ("population='3'", ["population = '3'", "integer"]),
                ("population=3.5", ["population = 3.5", "integer"]),
                ("population=[1]", ["population = [1]", "integer"]),
                ("population=1000001", ["population = 1000001", "1000000"]),
                ("population=99999999999999999999", ["population = 99999999999999999999", "64 bits"]),
                ("steps='60 '", ["steps = '60 '", "integer"]),
                ("steps=9007199254740993", ["steps = 9007199254740993", "9007199254740992"]),
                ("steps=9007199254740992", ["interval = 1", "evaluations", "at most"]),
                ("population=.inf", ["population = inf", "finite"]),
                ("task.lr=.inf", ["task.lr = inf", "finite"]),
                ("task.lr=.nan", ["task.lr = nan", "finite"]),
                ("task.lr=true", ["task.lr = True", "number"]),
                ("task.lr='1'", ["task.lr = '1'", "number"]),
                ("task.origin=[.inf, 1]", ["task.origin.0 = inf", "finite"]),
                ("task.origin=[true, 1]", ["task.origin.0 = True", "number"]),
                *(
                    (f"task.lr={text}", ["task.lr", text, "read as another value by some readers"])
                    for text in ("2020-01-01", "010", "1:30", "0x_1", "1_000", "0o17", "0b1", "yes", "Off", "<<", "=")
                ),
                ("task.lr=&a [*a]", ["task.lr", "must not hold itself"]),
                ("task={1: 2}", ["task", "key 1", "text"]),
                ("task={lr: 1, lr: 2}", ["task", "the key 'lr' stands twice"]),
                (f"task={BOMB}", ["task", "aliases stand for more than"]),
                ("task.lr=!!python/object:os.system {}", ["task.lr", "tag", "not taken"]),
                ("task.lr=" + "[" * 50_000, ["task.lr", "YAML", "50010 characters"]),
                ("task.lr=\t5", ["task.lr", "YAML"]),
                ("task.lr=\udcff", ["task.lr", "YAML"]),
                ("task.lr=" + "x" * 100_000, ["task.lr", "characters"]),
                ("a..b=1", ["a..b=1", "KEY=VALUE"]),
                (".a=1", [".a=1", "KEY=VALUE"]),
                ("=1", ["=1", "KEY=VALUE"]),
                ("pop\nulation=5", ["pop", "no such key"]),
                ("search.explore.-1.scale=0.2", ["-1", "to set in"]),
                ("search.explore.0.scale=true", ["search.explore.0.scale = True", "number"]),
                ("search.ready=true", ["search.ready = True", "integer"]),
                ("search.initial.0.h0=.nan", ["search.initial.0.h0 = nan", "finite"]),
            ]
        ),
        *(
            ([f"--timeout={value}"], ["timeout"])
            for value in ("inf", "nan", "1e300", "3e6", "1e7", "0", "-1", "", "1_0", "soon")
        ),
        *(([f"--workers={value}"], [str(value)]) for value in ("0", "1000000000", "-1", "1.0", "1_0", "")),
        *(([f"--seed={value}"], [str(value)[:20]]) for value in ("-1", 2**63, "9" * 5000, "1.0", "")),
        *(
            ([f"--variant={value}"], ["variant"])
            for value in ("", "..", ".", ".hidden", "-x", "a/b", "a b", "a\nb", "a\n", "\u00e9", "x" * 65)
        ),
    ],
)
def test_a_value_that_cannot_be_is_refused_at_once(arguments, words, tmp_path, monkeypatch, capsys):
    """With the key, the value and the rule."""
    monkeypatch.chdir(tmp_path)
    try:
        code = main([*RUN, *arguments])
    except SystemExit as exit:
        code = exit.code
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert len(line) < 500
    assert all(word in line for word in words), line
    assert not list(tmp_path.iterdir())


def test_numbers_may_be_written_with_exponents():
    """YAML itself takes them for text where they have no point."""
    settings = resolve("toy", "pbt", overrides=["steps=1e3", "task.lr=1e-3", "search.explore.0.scale=2e-1"])
    assert (settings.steps, settings.task["lr"], settings.search["explore"][0]["scale"]) == (1000, 0.001, 0.2)


def test_the_largest_values_are_taken():
    """A million members, 2**53 steps in few evaluations, a seed of 63 bits."""
    settings = resolve(
        "toy", "pbt", seed=2**63 - 1, overrides=["population=1000000", "search.ready=200", "interval=200"]
    )
    assert settings.plan().budget == 200_000_000
    grid = resolve("toy", "grid", overrides=[f"steps={2**53}", f"interval={2**40}"])
    assert grid.steps == 2**53


@pytest.fixture(scope="module")
def lineage(tmp_path_factory):
    """That of a short run."""
    folder = tmp_path_factory.mktemp("lineage")
    assert main(["run", "toy", "pbt", "--quiet", "--set", "steps=20", "--out", str(folder)]) == 0
    return folder / "lineage.json"


ODD = (
    "a: b.json",
    "# l.json",
    "'l.json",
    "5",
    "yes",
    "[l].json",
    "1e3",
    "null",
    "*l.json",
    "%l",
    "- l",
    "2020-01-01",
)


@pytest.mark.parametrize("name", ODD)
def test_a_lineage_is_a_path_whatever_yaml_would_make_of_its_name(name, lineage, tmp_path, monkeypatch):
    """It is no value of a setting."""
    shutil.copy(lineage, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    settings = resolve("toy", "replay", lineage=Path(name), overrides=["population=1", "steps=20"])
    assert settings.search["lineage"] == name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schedule": None}, "schedule = None"),
        ({"schedule": 5}, "schedule = 5"),
        ({"schedule": []}, "schedule"),
        ({"schedule": [], "best": None}, "holds no schedule"),
        ({"members": [0, 0]}, "members"),
        ({"best": 7}, "best = 7"),
        ({"colour": "red"}, "no such key"),
        (("start", None), r"schedule\.1\.start = None"),
        (("start", 3), r"schedule\.1\.start = 3"),
        (("stop", 1), r"schedule\.\d"),
        (("member", True), r"schedule\.1\.member = True"),
        (("member_step", -1), r"schedule\.1\.member_step = -1"),
        (("hyperparameters", {"h0": 3.0, "h1": 1.0}), r"schedule\.1\.hyperparameters: .*h0"),
        (("hyperparameters", {"h0": "x", "h1": 1.0}), r"schedule\.1\.hyperparameters: .*h0"),
        (("hyperparameters", {"h0": float("nan"), "h1": 1.0}), "finite"),
        (("hyperparameters", {"h0": 1.0}), r"schedule\.1\.hyperparameters"),
    ],
)
def test_a_lineage_that_cannot_be_trained_on_is_refused_with_the_field_and_the_rule(change, words, lineage, tmp_path):
    """By its schema, by itself, or by the domain's space."""
    content = json.loads(lineage.read_text())
    if isinstance(change, dict):
        content |= change
    else:
        content["schedule"][1][change[0]] = change[1]
    path = tmp_path / "l.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=words) as info:
        resolve("toy", "replay", lineage=path, overrides=["population=1", "steps=20"])
    assert str(path) in str(info.value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_a_run_in_order_and_the_same_command_goes_on(number, tmp_path):
    """One line, the shell's exit code for it; what was recorded stays."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "reproductions", "run", "toy", "pbt", "--quiet", "--out", str(out)]
    command += ["--set", "steps=1000000"]
    before = signal.signal(number, signal.SIG_DFL)  # whoever runs the tests, such as nohup, may ignore it
    try:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(number, before)
    record = out / "state" / "events.jsonl"
    while not (record.exists() and record.stat().st_size > 10_000):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    _, message = process.communicate()
    assert process.returncode == 128 + number
    assert message == f"stopped by {number.name}; the same command goes on from here\n"
    assert record.stat().st_size > 10_000


def stopped_twice():
    with stoppable(signal.SIGTERM):
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_was_ignored_stays_ignored_and_handlers_are_put_back():
    """As nohup asks; and nothing interrupts the cleaning up."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable(signal.SIGHUP, signal.SIGTERM):
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        with pytest.raises(Stopped, match="SIGTERM"):
            stopped_twice()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signals_are_left_alone_outside_the_main_thread():
    """Where Python lets nobody set them."""
    handlers = []

    def work():
        with stoppable(signal.SIGTERM):
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.SIG_DFL]
