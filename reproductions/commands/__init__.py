"""The commands of the command line, by what they are about. Each ``add`` makes the parsers of its module's commands."""

from __future__ import annotations

import argparse
from typing import Any, TypeAlias

#: What parsers of commands are added to.
Commands: TypeAlias = "argparse._SubParsersAction[Any]"
