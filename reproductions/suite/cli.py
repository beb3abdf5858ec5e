"""The command line; works without Snakemake, which only calls it.

Every command checks all its arguments before it does anything. Exit codes: 0 done, 1 the work failed, 2 the request was
wrong (one line says how), 128 plus a signal's number: stopped by that signal, after cleaning up.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

from pbt_core import CheckpointError, RunError
from pbt_core.schema import RecordError
from reproductions.suite.commands import Once, OnceTrue, keeping, results, running
from reproductions.suite.study.registry import ConfigError


class Parser(argparse.ArgumentParser):
    """Errors in one line, without the usage before it; an option that has one value may be given once."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        for name, action in ((None, Once), ("store", Once), ("store_true", OnceTrue)):
            self.register("action", name, action)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {_one_line(message)} (see {self.prog} --help)\n")


class Stopped(KeyboardInterrupt):
    """Raised where the program is at work when a signal asks it to end, so that it cleans up as after ^C."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def stoppable(*numbers: int) -> Iterator[None]:
    """In the block these signals raise Stopped, once: nothing interrupts the cleaning up. Ignored signals stay ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}  # as nohup asks
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and do; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files may hold characters that a terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    parsed = parser().parse_args(arguments)
    try:
        with stoppable(signal.SIGTERM, signal.SIGHUP):
            code: int = parsed.do(parsed) or 0
            sys.stdout.flush()
            return code
    except BrokenPipeError:
        # The reader of our output (head, less) has closed it. Nothing may be left to write when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ConfigError, RecordError) as error:
        print(f"error: {_one_line(str(error))}", file=sys.stderr)
        return 2
    except (RunError, CheckpointError, OSError) as error:
        print(f"error: {_one_line(str(error))}", file=sys.stderr)
        return 1
    except Stopped as stopped:
        print(f"stopped by {stopped}; the same command goes on from here", file=sys.stderr)
        return 128 + stopped.number
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _one_line(message: str) -> str:
    """The message with unprintable characters escaped: names of files and folders may hold line ends."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in message)


def parser() -> Parser:
    """All commands and their options."""
    top = Parser(prog="python -m reproductions", description=__doc__.splitlines()[0])
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=Parser)
    for module in (running, results, keeping):
        module.add(commands)
    return top
