"""The command line; works without Snakemake, which only calls it.

Every command checks everything it was given before it does anything. Exit codes: 0 done, 1 the work failed, 2 the request
was wrong (one line says how).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from pbt_core import CheckpointError, RunError
from pbt_core.schema import RecordError
from reproductions.commands import keeping, results, running
from reproductions.registry import ConfigError


class Parser(argparse.ArgumentParser):
    """Errors in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and do; returns the exit code."""
    parsed = parser().parse_args(arguments)
    try:
        code: int = parsed.do(parsed) or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever reads (head, less) has seen enough. Nothing may be left to write when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (RunError, RecordError, CheckpointError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def parser() -> Parser:
    """All commands and their options."""
    top = Parser(prog="python -m reproductions", description=__doc__.splitlines()[0])
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=Parser)
    for module in (running, results, keeping):
        module.add(commands)
    return top
