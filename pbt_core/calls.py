"""Calls into a task: whatever goes wrong there is caught and named, and the run goes on.

A task gets copies of what it could change, and the global generators are seeded from its member's stream. Its mistakes
become a ``TaskError`` that says which function did what, and what the rule is.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import os
import random
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from pbt_core.seeds import Stream
from pbt_core.space import Hyperparameters
from pbt_core.store import Checkpoint, CheckpointError, Prepared, prepared
from pbt_core.task import AnyTask, Score


class TaskError(Exception):
    """A task's function raised an error or broke the contract; ``frames`` is the traceback of the task's code."""

    def __init__(self, error: str, frames: str = "") -> None:
        super().__init__(error)
        self.error, self.frames = error, frames


class ContractError(TaskError):
    """A task's function returned what it must not return."""


class Calls:
    """The functions of a task, guarded. Every method raises TaskError for what the task did wrong.

    interruptible: whether a KeyboardInterrupt comes from the keyboard, and ends the run, or can only be raised by the task.
    """

    def __init__(self, task: AnyTask, interruptible: bool = True) -> None:
        self.task, self._space, self._interruptible = task, task.space, interruptible
        self._home = _here()
        self.name = type(task).__name__

    def init(self, seed: Stream, hyperparameters: Hyperparameters) -> Any:
        return self._state("init", seed, lambda: self.task.init(seed, self._declared(hyperparameters)))

    def load(self, checkpoint: Checkpoint, hyperparameters: Hyperparameters, seed: Stream) -> Any:
        return self._state("load", seed, lambda: self.task.load(checkpoint, self._declared(hyperparameters)))

    def step(self, state: Any, hyperparameters: Hyperparameters, steps: int, seed: Stream) -> Any:
        values = self._declared(hyperparameters)
        return self._state("step", seed, lambda: self.task.step(state, values, steps, seed))

    def step_all(
        self, states: Sequence[Any], hyperparameters: Sequence[Hyperparameters], steps: int, seeds: Sequence[Stream]
    ) -> list[Any]:
        """The population form of ``step``, for a task that has it."""
        copies = [self._declared(values) for values in hyperparameters]
        call = lambda: list(self.task.step_all(list(states), copies, steps, list(seeds)))  # type: ignore[attr-defined]  # noqa: E731
        after: list[Any] = self._guarded("step_all", seeds[0], call)
        if len(after) != len(states):
            raise ContractError(f"{self.name}.step_all returned {len(after)} states for {len(states)} members")
        if any(state is None for state in after):
            raise ContractError(f"{self.name}.step_all returned None for a member; it must return the states")
        return after

    def _declared(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """A copy, with the values as the space declares them: a record that a run resumes from holds JSON's."""
        return self._space.restore(hyperparameters)

    def evaluate(self, state: Any, seed: Stream) -> dict[str, Any]:
        """The score as plain numbers, the fields of an ``evaluated`` event.

        Global generators go on from where ``step`` left them.
        """
        score = self._guarded("evaluate", None, lambda: self.task.evaluate(state, seed))
        plain: dict[str, Any] = self._guarded("evaluate", None, lambda: plain_score(score, f"{self.name}.evaluate"))
        return plain

    def save(self, state: Any) -> Prepared:
        saved = self._guarded("save", None, lambda: self.task.save(state))
        try:
            return prepared(saved, f"{self.name}.save")
        except Exception as error:
            told = _task_error(error, f"{self.name}.save")
            raise ContractError(told.error, told.frames) from None

    def close(self, state: Any) -> None:
        """The optional ``close`` of a task, for a state that is needed no more; what it raises is ignored."""
        close = getattr(self.task, "close", None)
        if close is not None:
            with contextlib.suppress(TaskError):
                self._guarded("close", None, lambda: close(state))

    def _state(self, function: str, seed: Stream, call: Callable[[], Any]) -> Any:
        state = self._guarded(function, seed, call)
        if state is None:
            raise ContractError(f"{self.name}.{function} returned None; it must return the state")
        return state

    def _guarded(self, function: str, seed: Stream | None, call: Callable[[], Any]) -> Any:
        process = os.getpid()
        try:
            if seed is not None:
                seed_globals(seed)
            return call()
        except (TaskError, CheckpointError):
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and self._interruptible:
                raise
            raise _task_error(error, f"{self.name}.{function}") from None
        finally:
            if os.getpid() != process:
                _end_the_fork(f"{self.name}.{function}")

    def go_home(self) -> None:
        """Return to the working directory in which the task was first called, in case it has changed it."""
        if self._home is not None and _here() != self._home:
            os.chdir(self._home)


def _end_the_fork(function: str) -> NoReturn:
    """End a child that the task has forked and that came back from the call: it would go on as a second worker, or driver.

    As where the program that it should become cannot be executed. Nothing that it has inherited is flushed or closed.
    """
    error = sys.exception()
    told = "" if error is None else f" with {' '.join(str(error).split())}"
    line = f"{function}: process {os.getpid()}, which it has forked, came back from the call{told}, and is ended\n"
    with contextlib.suppress(OSError):
        os.write(2, line.encode("utf-8", "backslashreplace"))
    os._exit(1)


#: How deep a recursion went depends on who called the task.
_REPEATED = re.compile(r"\[Previous line repeated \d+ more times?\]")


#: A worker has the program that was started under another name, which Python then writes before its classes.
_RAISED = re.compile(r"^([ |+-]*)__mp_main__\.(?=\w)", re.MULTILINE)
_OF_PROGRAM = re.compile(r"(?<=__)mp_(?=main__)")


def _here() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - a string, and a tenth of the time: it is asked for in every interval
    except OSError:
        return None


def _task_error(error: BaseException, function: str) -> TaskError:
    kind = type(error).__name__
    try:
        text = str(error)
    except Exception as second:
        text = f"(its text cannot be obtained: {type(second).__name__})"
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next  # so that the text is the same whichever engine made the call
    try:
        lines = "".join(traceback.format_exception(error.with_traceback(frames)))
    except Exception:
        lines = "".join(traceback.format_tb(frames))
    lines = _REPEATED.sub("[Previous line repeated many more times]", lines)
    lines, text = (_OF_PROGRAM.sub("", _RAISED.sub(r"\1", words)) for words in (lines, text))
    what = f"{kind}: {text}" if text else kind
    if not isinstance(error, Exception):
        what = f"{function} must not end the process: {what}"
    return TaskError(printable(what), printable(lines))


#: A line of a traceback: where, in which file.
_FRAME = re.compile(r'^  File "(.+)", line (\d+)', re.MULTILINE)


def where_raised(error: TaskError) -> str:
    """`` (FILE, line N)`` of the innermost of the error's frames; empty if it has none."""
    found = _FRAME.findall(error.frames)
    return f" ({found[-1][0]}, line {found[-1][1]})" if found else ""


def printable(text: str) -> str:
    """Text that every encoding can hold: halves of surrogate pairs become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


# -- scores ----------------------------------------------------------------------------------------------------------


def plain_score(score: Any, function: str) -> dict[str, Any]:
    """The fields of a score as plain numbers (a task may return numpy's, or tensors of one number); ContractError otherwise."""
    if not isinstance(score, Score):
        raise ContractError(f"{function} must return a Score, not {_kind(score)}")
    metrics: Any = score.metrics
    samples: Any = score.samples
    if not isinstance(metrics, Mapping) or not all(isinstance(name, str) for name in metrics):
        raise ContractError(f"{function} returned a Score whose metrics are not numbers by name: {_short(metrics)}")
    without_order = not isinstance(samples, Sequence | np.ndarray) or isinstance(samples, str | bytes)
    if without_order or (isinstance(samples, np.ndarray) and not samples.ndim):
        raise ContractError(
            f"{function} returned a Score whose samples are no sequence of numbers: {_short(score.samples)}"
        )
    return {
        "score": _number(score.value, "value", function),
        "samples": [_number(sample, f"samples[{i}]", function) for i, sample in enumerate(samples)],
        "held_out": None if score.held_out is None else _number(score.held_out, "held_out", function),
        "metrics": {printable(name): _number(value, f"metrics[{name!r}]", function) for name, value in metrics.items()},
    }


def _number(value: Any, field: str, function: str) -> float:
    if value.__class__ is float:
        return float(value)
    why = "which is not a number"
    if value is not None and not isinstance(value, str | bytes):
        try:
            return float(value)
        except OverflowError:
            why = "which is beyond every float"
        except Exception:  # of whatever kind of object it is
            pass
    raise ContractError(f"{function} returned a Score with {field} = {_short(value)}, {why}")


def _kind(value: Any) -> str:
    return "None" if value is None else type(value).__name__


def _short(value: Any) -> str:
    try:
        text = printable(repr(value))
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


# -- global generators -----------------------------------------------------------------------------------------------

_last_seed = 0


def seed_globals(seed: Stream) -> None:
    """Seed the global generators of ``random``, numpy and torch (if it is loaded) from ``seed``.

    A task should draw from the stream it is given; one that does not is still repeatable, and its members differ.
    """
    global _last_seed
    _last_seed = seed.child("global").integer()
    _seed_all(_last_seed)


def _seed_all(number: int) -> None:
    random.seed(number)
    np.random.seed(number & 0xFFFFFFFF)  # noqa: NPY002 - it is the global one that is meant
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "default_generator"):  # else it is being imported
        # torch.manual_seed does this for every kind of device that there is, which takes a tenth of a millisecond.
        torch.default_generator.manual_seed(number)
        _seed_cards(torch, number)


def _seed_cards(torch: Any, number: int) -> None:
    if torch.cuda.is_initialized() or torch.backends.cuda.is_built():
        torch.cuda.manual_seed_all(number)  # before it is initialised: kept for then, which may be the task's next line


def _states_of_cards(torch: Any) -> list[Any] | None:
    """The states of the cards' generators; None as long as this process has not initialised CUDA."""
    return torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None


def global_states() -> dict[str, Any]:
    """The states of the global generators, by library, as something that can be compared."""
    numpy: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    states: dict[str, Any] = {"random": random.getstate(), "numpy": str(numpy) + str(numpy["state"]["key"].tolist())}
    torch = sys.modules.get("torch")
    if torch is not None:
        cards = _states_of_cards(torch) or ()
        states["torch"] = tuple(state.numpy().tobytes() for state in (torch.get_rng_state(), *cards))
    return states


def moved_generators() -> list[str]:
    """The libraries whose global generators were drawn from since ``seed_globals``."""
    now, seed = global_states(), _last_seed
    _seed_all(seed)
    began = global_states()
    return [name for name, state in now.items() if state != began[name]]


@contextlib.contextmanager
def global_generators_kept() -> Iterator[None]:
    """Restore the global generators after the block; torch may be loaded in it.

    Cards that this process has not initialised before it get the seed that the processor's was given last: torch's own, or the
    one of ``torch.manual_seed``, which seeds both.
    """
    kept = random.getstate(), np.random.get_state()  # noqa: NPY002
    torch = sys.modules.get("torch")
    kept_torch = (torch.get_rng_state(), _states_of_cards(torch)) if torch is not None else None
    finder = _SeededTorch()
    if torch is None:
        sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(finder)
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002
        if torch is not None and kept_torch is not None:
            torch.set_rng_state(kept_torch[0])
            if kept_torch[1] is None:
                _seed_cards(torch, torch.initial_seed())
            else:
                torch.cuda.set_rng_state_all(kept_torch[1])


class _SeededTorch(importlib.abc.MetaPathFinder):
    """Seeds torch as soon as it is imported: otherwise all members of a task that imports it late would draw the same."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        loader = None if spec is None else spec.loader
        if loader is not None and hasattr(loader, "exec_module"):
            execute = loader.exec_module

            def seeded(module: Any) -> None:
                execute(module)
                module.manual_seed(_last_seed)

            loader.exec_module = seeded  # type: ignore[method-assign]
        return spec
