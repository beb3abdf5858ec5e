"""Tasks that do what a task should not, in a module of their own so that workers can import them."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pbt_core import Checkpoint, Score, current_worker
from pbt_core.testing import Hill


class Unspeakable(Exception):
    """An error whose text cannot be obtained."""

    def __str__(self):
        raise RuntimeError("no text")


def _raise(error):
    raise error


def _change_directory():
    os.chdir(tempfile.gettempdir())


def _change_hyperparameters(hyperparameters):
    hyperparameters["lr"] = 77.0
    hyperparameters.clear()


#: What happens in ``step`` of a bad member, by name.
STEPS = {
    "lone surrogate": lambda: _raise(ValueError("half a pair: \ud800")),
    "no text": lambda: _raise(Unspeakable),
    "exit": lambda: sys.exit(3),
    "generator exit": lambda: _raise(GeneratorExit),
    "recursion": lambda: STEPS["recursion"](),
    "unpicklable": lambda: _raise(type("Local", (Exception,), {})("of no module")),
}
#: What a bad member's function returns, by name: (function, value).
RETURNS = {
    "init nothing": ("init", None),
    "step nothing": ("step", None),
    "evaluate float": ("evaluate", 0.5),
    "evaluate nothing": ("evaluate", None),
    "evaluate text": ("evaluate", Score("0.5")),
    "evaluate pair": ("evaluate", Score((1.0, 2.0))),
    "evaluate huge": ("evaluate", Score(10**400)),
    "evaluate none": ("evaluate", Score(None)),
    "evaluate metrics": ("evaluate", Score(0.5, metrics={"a": "b"})),
    "evaluate metric names": ("evaluate", Score(0.5, metrics={1: 2.0})),
    "evaluate samples": ("evaluate", Score(0.5, samples=0.5)),
    "evaluate held out": ("evaluate", Score(0.5, held_out="much")),
    "save array": ("save", np.zeros(3)),
    "save list": ("save", Checkpoint({"x": [1.0]})),
    "save objects": ("save", Checkpoint({"x": np.array([object()])})),
    "save texts": ("save", Checkpoint({"x": np.array(["a"])})),
    "save set": ("save", Checkpoint({"x": np.zeros(1)}, {"seen": {1}})),
    "save name": ("save", Checkpoint({"__metadata__": np.zeros(1)})),
}


@dataclass(frozen=True)
class Naughty(Hill):
    """Members whose learning rate is above ``limit`` misbehave as ``what`` says, the others behave."""

    what: str = "exit"
    limit: float = 0.1

    def _bad(self, hyperparameters):
        return hyperparameters["lr"] > self.limit

    def init(self, seed, hyperparameters):
        if self._bad(hyperparameters) and self.what == "init nothing":
            return None
        return {**super().init(seed, hyperparameters), "bad": np.array(self._bad(hyperparameters))}

    def step(self, state, hyperparameters, steps, seed):
        bad = self._bad(hyperparameters)
        state = super().step(state, hyperparameters, steps, seed)
        state["bad"] = np.array(bad)
        if bad and self.what in STEPS:
            STEPS[self.what]()
        if bad and self.what == "step nothing":
            return None
        if self.what == "harmless":
            print("a word", file=sys.stderr)
            _change_directory()
            _change_hyperparameters(hyperparameters)
        if self.what == "closes descriptors" and current_worker() is None:
            os.closerange(3, 256)
        return state

    def evaluate(self, state, seed):
        function, value = RETURNS.get(self.what, ("", None))
        return value if state["bad"] and function == "evaluate" else super().evaluate(state, seed)

    def save(self, state):
        function, value = RETURNS.get(self.what, ("", None))
        return value if state["bad"] and function == "save" else super().save(state)


@dataclass(frozen=True)
class Forking(Hill):
    """Starts a program by fork and exec, which fails, so that the child goes on in this code; once, as ``flag`` says."""

    flag: str = ""

    def step(self, state, hyperparameters, steps, seed):
        if not Path(self.flag).exists():
            Path(self.flag).touch()
            child = os.fork()
            if not child:
                os.execvp("no-such-simulator", ["no-such-simulator"])
            Path(self.flag).write_text(str(os.waitpid(child, 0)[1]))
        return super().step(state, hyperparameters, steps, seed)


@dataclass(frozen=True)
class Leaving(Hill):
    """Its worker is killed and leaves a fork, in a session of its own, that has its files and pipes; once, as ``flag`` says."""

    flag: str = ""

    def step(self, state, hyperparameters, steps, seed):
        if not Path(self.flag).exists():
            child = os.fork()
            if not child:
                os.setsid()
                time.sleep(3600)
                os._exit(0)
            Path(self.flag).write_text(str(child))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(state, hyperparameters, steps, seed)


@dataclass(frozen=True)
class Drawing(Hill):
    """Draws from the global generators, as most people's code does."""

    def step(self, state, hyperparameters, steps, seed):
        import random

        import torch  # late, so that some workers load it earlier than others

        draws = [random.random(), np.random.rand(), float(torch.rand(()))]  # noqa: NPY002
        return {**super().step(state, hyperparameters, steps, seed), "draws": np.array(draws)}

    def evaluate(self, state, seed):
        score = super().evaluate(state, seed)
        names = ("random", "numpy", "torch")
        return Score(score.value, metrics=dict(zip(names, state["draws"].tolist(), strict=True)))


@dataclass(frozen=True)
class Simulated(Hill):
    """A program runs beside each state, in a session of its own; ``folder`` is told what was closed."""

    mark: str = ""
    folder: str = ""
    pause: float = 0.0

    def _with_program(self, state):
        program = [sys.executable, "-c", "import time; time.sleep(600)", self.mark]
        started = subprocess.Popen(program, start_new_session=True)
        if self.folder:
            Path(self.folder, f"made-{started.pid}").touch()
        return {**state, "program": started}

    def init(self, seed, hyperparameters):
        return self._with_program(super().init(seed, hyperparameters))

    def step(self, state, hyperparameters, steps, seed):
        time.sleep(self.pause)
        return {**super().step(state, hyperparameters, steps, seed), "program": state["program"]}

    def save(self, state):
        return Checkpoint({name: value for name, value in state.items() if name != "program"})

    def load(self, checkpoint, hyperparameters):
        return self._with_program(super().load(checkpoint, hyperparameters))

    def close(self, state):
        state["program"].kill()
        state["program"].wait()
        with contextlib.suppress(OSError):
            Path(self.folder, f"closed-{state['program'].pid}").touch()
