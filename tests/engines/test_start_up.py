"""How workers begin: as forks of a process that has imported the calling script once, as it is now."""

import importlib
import multiprocessing
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
from misread import Leaving

from pbt_core import PBT, Plan, Processes, RunError
from pbt_core.engines import preload
from pbt_core.engines.worker import Assignment, Worker, serve

HERE = Path(__file__).parent
PLAN = Plan(population=3, steps=10, interval=10)
#: A script with a task of its own, which notes who executes it. ``workers(FOLDER)`` runs it.
HEAD = """
    import os, sys
    from pathlib import Path
    from pbt_core import PBT, Plan, Processes, Serial
    from pbt_core.testing import Hill

    HERE = Path(os.environ["HERE"])
    with open(HERE / "executed", "a") as file:
        file.write(__name__ + "\\n")

    class Mine(Hill):
        pass

    def workers(task, folder, count=3):
        plan = Plan(population=3, steps=20, interval=10)
        return Processes(workers=count).run(task, PBT(ready=10), plan, HERE / folder).score
    """
GUARDED = 'if __name__ == "__main__":\n    '


def run(folder, body, *, how=("script.py",), script="script.py", stdin=None, **environment):
    path = folder / script
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(HEAD) + body)
    paths = os.pathsep.join([str(HERE), str(HERE.parent.parent)])
    given = {**os.environ, "PYTHONPATH": paths, "HERE": str(folder), **environment}
    command = [sys.executable, "-W", "error", *how]
    return subprocess.run(command, env=given, cwd=folder, capture_output=True, text=True, input=stdin)


@pytest.mark.parametrize(
    ("how", "script"),
    [(("script.py",), "script.py"), (("-m", "package.train"), "package/train.py")],
    ids=["script", "module"],
)
def test_the_script_is_executed_once_for_all_workers_of_all_runs(how, script, tmp_path):
    """And a program that is run by its module's name is not executed twice in one process, which Python warns of."""
    body = GUARDED + 'print(workers(Mine(), "one"), workers(Mine(), "two"))\n'
    done = run(tmp_path, body, how=how, script=script)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "executed").read_text().split() == ["__main__", "__mp_main__"]


def test_a_script_read_from_standard_input_can_run_a_task_of_a_module(tmp_path):
    """There is no file to import, and none is needed."""
    body = textwrap.dedent(HEAD) + GUARDED + 'print(workers(Hill(), "run"))\n'
    done = run(tmp_path, "", how=("-",), stdin=body)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            'workers(Mine(), "run")\n',
            "guard the calling script with `if __name__ == '__main__':`, since workers import it",
        ),
        (
            f'assert __name__ == "__main__", "not in workers"\n{GUARDED}workers(Hill(), "run")\n',
            "script.py: AssertionError: not in workers",
        ),
        (
            f'{GUARDED}import multiprocessing as mp\n    with mp.get_context("spawn").Pool(1) as pool:\n'
            '        pool.starmap(workers, [(Hill(), "run")])\n',
            "use concurrent.futures instead of multiprocessing.Pool, or the serial engine in it",
        ),
    ],
    ids=["no guard", "cannot be imported", "in a pool"],
)
def test_workers_that_cannot_begin_are_one_line(body, error, tmp_path):
    """Not a traceback from each of them."""
    done = run(tmp_path, body)
    assert done.returncode == 1
    assert re.fullmatch(
        rf"(pbt_core\.errors\.)?RunError: workers cannot .*{re.escape(error)}", done.stderr.splitlines()[-1]
    )
    assert done.stderr.count("RunError:") <= 2  # once more by the pool that carries it over
    assert "AttributeError" not in done.stderr


def test_a_worker_that_cannot_begin_is_silent_where_the_driver_has_gone_on(tmp_path):
    """Another worker has told it, and the pipe is closed: this one has nobody to tell, and prints no traceback."""
    here, there = multiprocessing.Pipe()
    here.close()
    assignment = Assignment(Worker(0, 2), b"no pickle", tmp_path, False, 0, 1, 1, "none")
    worker = multiprocessing.get_context("spawn").Process(target=serve, args=(assignment, there))
    worker.start()
    worker.join()
    assert worker.exitcode == 0


def test_a_temporary_folder_with_too_long_a_name_is_one_line_that_names_it(tmp_path):
    """As batch systems make them: sockets need names of at most about a hundred characters."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    done = run(tmp_path, GUARDED + 'workers(Hill(), "run")\n', TMPDIR=str(folder))
    assert re.search(
        rf"RunError: workers cannot be started: AF_UNIX .*TMPDIR = '{folder}' must be shorter", done.stderr
    )


def test_a_forked_child_of_a_process_that_has_run_can_run_too(tmp_path):
    """Several seeds at once from a pool of forks: each has workers of its own."""
    body = GUARDED + (
        'from concurrent.futures import ProcessPoolExecutor\n    import multiprocessing\n    first = workers(Mine(), "one")\n'
        '    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:\n'
        '        assert list(pool.map(workers, [Mine()] * 2, ["two", "three"])) == [first] * 2\n'
    )
    done = run(tmp_path, body)
    assert done.returncode == 0, done.stderr


def test_workers_find_modules_and_environment_as_they_are_now(tmp_path, monkeypatch):
    """A module is edited and loaded again, a variable is set: the next run has both, though one was made before."""
    monkeypatch.syspath_prepend(tmp_path)
    source = tmp_path / "edited_task.py"
    text = """
        import os
        from pbt_core import Score
        from pbt_core.testing import Hill
        LEVEL = float(os.environ.get("LEVEL", 0))
        class Edited(Hill):
            def evaluate(self, state, seed):
                return Score({version} + LEVEL)
        """

    def score(name):
        module = importlib.import_module("edited_task")
        return Processes(workers=1).run(module.Edited(), PBT(ready=10), PLAN, tmp_path / name).score

    source.write_text(textwrap.dedent(text.format(version=1)))
    assert score("first") == 1
    source.write_text(textwrap.dedent(text.format(version="2.000")))
    importlib.reload(sys.modules["edited_task"])
    assert score("edited") == 2
    monkeypatch.setenv("LEVEL", "40")
    assert score("environment") == 42
    del sys.modules["edited_task"]


def test_a_worker_that_ends_before_it_is_ready_ends_the_run(tmp_path):
    """It says nothing of the interval that it would have been given, so that is not tried again and again."""
    with pytest.raises(
        RunError, match=r"^a worker ended before it was ready \(exit code 5\): what it has printed says why$"
    ):
        Processes(workers=2).run(Leaving(), PBT(ready=10), PLAN, tmp_path)


@pytest.mark.parametrize("used", [True, False])
def test_a_script_that_uses_cuda_when_it_is_imported_is_left_to_each_worker(used, monkeypatch):
    """Forks of a process that has used it could not: the server begins again, as the same process, without the script."""
    begun = []
    monkeypatch.setenv(preload.REQUEST, '{"preparation": {}, "modules": []}')
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: used)))
    monkeypatch.setattr(os, "execv", lambda *command: begun.append((command, preload.REQUEST in os.environ)))
    preload.serve_request()
    assert begun == ([((sys.executable, [sys.executable, *sys.orig_argv[1:]]), False)] if used else [])
    assert preload.NVML not in os.environ


def test_a_workers_processes_begin_as_those_of_the_script_do(tmp_path):
    """And an error of a class of the script's own is recorded under one name, whoever trained."""
    (tmp_path / "script.py").write_text(
        textwrap.dedent(HEAD)
        + textwrap.dedent("""
        import multiprocessing

        class Unstable(Exception):
            pass

        class Told(Mine):
            def step(self, state, hyperparameters, steps, seed):
                if hyperparameters["lr"] > 0.01:
                    raise Unstable(f"{Unstable} with {multiprocessing.get_start_method()}")
                return super().step(state, hyperparameters, steps, seed)

        if __name__ == "__main__":
            plan = Plan(population=6, steps=20, interval=10)
            runs = [
                engine.run(Told(), PBT(ready=10), plan, HERE / str(i))
                for i, engine in enumerate((Serial(), Processes(workers=2)))
            ]
            assert runs[0].events == runs[1].events
            print(*sorted(set(runs[1].failures().error)), sep="\\n")
        """)
    )
    environment = {**os.environ, "HERE": str(tmp_path)}
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    method = multiprocessing.get_start_method()
    assert done.stdout == f"Unstable: <class '__main__.Unstable'> with {method}\n"
