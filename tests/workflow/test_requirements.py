"""What a machine lacks: how it is found, and what the workflow and the command line then do."""

import http.server
import json
import shutil
import sys
import threading

import pytest
from checkouts import command, copied, snakemake

from reproductions.suite.study import requirements
from reproductions.suite.study.names import RunName
from reproductions.suite.study.requirements import Requirement, download, files, folder, modules, platform


def test_a_module_is_looked_for_without_importing_it(monkeypatch):
    """Each is a requirement of its own, with the extra to install."""
    monkeypatch.delitem(sys.modules, "this", raising=False)
    here, lost = modules("this", "no_such_module", extra="gan")
    assert here.missing({}) is None
    assert lost.missing({}) == "the module 'no_such_module' (not installed): pip install -c constraints.txt -e '.[gan]'"
    assert "this" not in sys.modules


def test_files_are_looked_for_in_the_folder_of_a_setting(tmp_path):
    """The first that is missing is named."""
    requirement = files("a corpus", ["corpus/a", "corpus/b"], "write one")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a").touch()
    lacking = f"a corpus ({tmp_path}/corpus/b is missing): write one"
    assert requirement.missing({"data": str(tmp_path)}) == lacking
    (tmp_path / "corpus" / "b").touch()
    assert requirement.missing({"data": str(tmp_path)}) is None
    assert requirement.missing({}) == "a corpus (data/corpus/a is missing): write one"


def test_only_runs_with_the_settings_that_need_it_lack_something():
    """Whatever else they set; a tuple stands for any of its values."""
    never = Requirement("luck", "wait", lambda task: "none", when={"corpus": ("x", "y"), "beam": 4})
    assert never.missing({"corpus": "x", "beam": 4, "width": 1}) == "luck (none): wait"
    for task in ({"corpus": "z", "beam": 4}, {"corpus": "x"}, {"beam": 4}, {}):
        assert never.missing(task) is None


def test_a_folder_is_one_that_an_environment_variable_names(tmp_path, monkeypatch):
    game = folder("the game", "GAME_PATH", "buy it")
    monkeypatch.delenv("GAME_PATH", raising=False)
    assert game.missing({}) == "the game (the environment variable GAME_PATH is not set): buy it"
    monkeypatch.setenv("GAME_PATH", str(tmp_path / "nowhere"))
    assert game.missing({}) == f"the game (GAME_PATH={tmp_path}/nowhere is no folder): buy it"
    monkeypatch.setenv("GAME_PATH", str(tmp_path))
    assert game.missing({}) is None


def test_a_system_is_known_by_its_name(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert platform("linux", "darwin", remedy="use WSL").missing({}) == (
        "the system linux or darwin (this is win32): use WSL"
    )
    assert platform("win32", remedy="-").missing({}) is None


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The address of a server on this machine of the files in tmp_path."""
    monkeypatch.setenv("no_proxy", "*")
    requirements._answers.cache_clear()
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *arguments: Quiet(*arguments, directory=tmp_path)
    ) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_what_runs_fetch_is_there_or_its_server_has_it(tmp_path, server, monkeypatch):
    """Nothing is downloaded to find out, and a server is asked once."""
    (tmp_path / "served").touch()
    (tmp_path / "kept").touch()
    task = {"data": str(tmp_path / "data")}
    assert download("A", "served", f"{server}/served").missing(task) is None
    assert not (tmp_path / "data").exists()
    lost = download("A", "other", f"{server}/other").missing(task)
    assert lost.startswith(f"A ({tmp_path}/data/other is missing and its server does not answer): with internet, get ")
    (tmp_path / "other").touch()
    assert download("A", "other", f"{server}/other").missing(task) == lost
    assert download("A", "kept", f"{server}/nothing").missing({"data": str(tmp_path)}) is None


def test_a_server_that_is_silent_is_not_waited_for(monkeypatch):
    """Looking its name up may take long."""
    silence = threading.Event()

    def silent(*arguments, **options):
        silence.wait()
        raise OSError

    requirements._answers.cache_clear()
    monkeypatch.setattr(requirements, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(requirements.urllib.request, "urlopen", silent)
    lost = download("A", "no_such_file", "http://silent.invalid/a").missing({})
    silence.set()
    assert "its server does not answer" in lost
    requirements._answers.cache_clear()


GEM = "the gem (treasure/gem is missing): dig for it"
#: A problem that needs what is not there, beside the toy's own, which needs nothing.
SWEEP = """
PROBLEMS = {"quadratic": {}, "deep": {"lr": 0.02}}
from reproductions.suite.study.requirements import files
REQUIRES = (files("the gem", ["gem"], "dig for it", when={"lr": 0.02}, below="treasure"),)
"""
BOTH = {"domain": "toy", "problems": ["quadratic", "deep"], "methods": ["pbt", "replay"], "seeds": [0]}
DEEP = {"domain": "toy", "problems": ["deep"], "methods": ["pbt", "pbt:short"], "seeds": [0], "budgets_differ": True}
RUN = RunName("smoke", "toy", "deep", "pbt")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A copy in which half of one experiment and all of another need the gem."""
    checkout = copied(tmp_path_factory.mktemp("checkout"))
    with (checkout / "reproductions" / "toy" / "sweep.py").open("a") as sweep:
        sweep.write(SWEEP)
    config = {"scale": "smoke", "experiments": {"both": BOTH, "deep": DEEP}, "demo": {"deep": DEEP}}
    config |= {"variants": {"short": {"steps": 20}}}
    (checkout / "config" / "config.yaml").write_text(json.dumps(config))
    return checkout


@pytest.fixture
def checkout(original):
    """The copy, without what other tests made in it."""
    yield original
    for name in ("results", "figures", "treasure", "out", ".snakemake"):
        shutil.rmtree(original / name, ignore_errors=True)


def left_out(done):
    return [line for line in done.stderr.splitlines() if line.startswith("left out")]


def refused(done, name):
    """Whether the end is one clear line, and nothing was made."""
    return (done.returncode, done.stderr.splitlines()[-1]) == (2, f"error: {name} cannot run here: it needs {GEM}")


def test_targets_of_many_runs_are_made_without_what_cannot_run(checkout):
    """One line for the requirement, which says of which experiments how many runs are left out; the rest is done."""
    done = snakemake("tables", "results/smoke/runs.csv", cwd=checkout)
    assert left_out(done) == [f"left out: both (2 of 4 runs), deep (2 of 2 runs): needs {GEM}"]
    assert [path.name for path in (checkout / "results/smoke/tables").iterdir()] == ["both"]
    table = (checkout / "results/smoke/tables/both/comparison.csv").read_text()
    assert "quadratic" in table
    assert "deep" not in table
    assert (checkout / "results/smoke/runs.csv").read_text().count("\n") == 3

    (checkout / "treasure").mkdir()
    (checkout / "treasure" / "gem").touch()
    done = snakemake("tables", cwd=checkout)
    assert left_out(done) == []
    assert "deep" in (checkout / "results/smoke/tables/both/comparison.csv").read_text()
    assert (checkout / "results/smoke/tables/deep/comparison.csv").exists()

    # What was made on a machine that has the gem needs it no more.
    shutil.rmtree(checkout / "treasure")
    done = snakemake("tables", "deep", "-n", cwd=checkout)
    assert left_out(done) == []
    assert "rule run:" not in done.stdout


def test_an_experiment_is_made_with_the_problems_that_remain(checkout):
    done = snakemake("both", "-n", cwd=checkout)
    assert left_out(done) == [f"left out: both (2 of 4 runs): needs {GEM}"]
    assert "quadratic/replay/default/seed-0" in done.stdout
    assert "deep" not in done.stdout


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("deep", "deep"),
        ("demo", "deep"),
        (f"results/{RUN.folder}/summary.json", f"results/{RUN.folder}"),
        ("results/smoke/tables/deep", "deep"),
    ],
)
def test_asking_for_exactly_what_is_missing_is_one_error_before_any_work(checkout, target, name):
    """Also where other targets are asked for with it."""
    assert refused(snakemake("both", target, cwd=checkout, check=False), name)
    assert not (checkout / "results").exists()


def test_a_run_that_is_started_by_hand_is_refused_before_any_work(checkout):
    arguments = ("reproductions", "run", "toy", "pbt", "--scale", "smoke", "--out", "out")
    assert refused(command(*arguments, "--problem", "deep", cwd=checkout, check=False), "toy on deep")
    assert refused(command(*arguments, "--set", "task.lr=0.02", cwd=checkout, check=False), "toy on quadratic")
    assert not (checkout / "out").exists()


def test_a_plan_says_what_is_left_out_and_costs_the_rest(checkout):
    done = command("reproductions", "plan", "tables", cwd=checkout)
    assert done.stderr.splitlines() == [f"left out: both (2 of 4 runs), deep (2 of 2 runs): needs {GEM}"]
    assert done.stdout.splitlines()[-1] == "3 of 3 jobs to do"
    assert "deep" not in done.stdout
    assert refused(command("reproductions", "plan", "deep", cwd=checkout, check=False), "deep")


def test_all_can_be_planned_for_another_machine(checkout):
    """As if nothing were missing, by the switch alone."""
    switch = ("--config", "assume_requirements=true")
    done = command("reproductions", "plan", "tables", "deep", *switch, cwd=checkout)
    assert done.stderr == ""
    # Four runs of one experiment, one more of the other, two tables and what is drawn of the other.
    assert done.stdout.splitlines()[-1] == "8 of 8 jobs to do"
    assert "deep/pbt/short/seed-0" in snakemake("-n", "deep", *switch, cwd=checkout).stdout


def test_what_was_planned_for_another_machine_is_checked_where_it_runs(checkout):
    """By the run itself, in its own line."""
    target = f"results/{RUN.folder}/summary.json"
    done = snakemake(target, "--config", "assume_requirements=true", cwd=checkout, check=False)
    assert done.returncode == 1
    assert f"error: toy on deep cannot run here: it needs {GEM}" in done.stderr
    assert not (checkout / target).exists()


def test_the_list_marks_what_cannot_run_here(checkout):
    listed = command("reproductions", "list", cwd=checkout).stdout.splitlines()
    toy = listed.index("toy")
    assert listed[toy + 1 : toy + 3] == ["  problems: quadratic, deep", f"  cannot run here: deep; needs {GEM}"]
