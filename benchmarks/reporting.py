"""Where a benchmark's figures go: the one place that writes them, and reads what is there already."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def keep(report: Mapping[str, Any], out: Path | None) -> None:
    """Write ``report`` as JSON to ``out``, if one is given."""
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(report, indent=1) + "\n")
        print(f"written to {out}")


def kept(
    out: Path | None, ours: Callable[[dict[str, Any]], bool], parser: argparse.ArgumentParser
) -> dict[str, Any] | None:
    """The report at ``out``, to which this measurement is added; None where there is none.

    The command ends where what is there is no JSON object that is ``ours``: it would be lost.
    """
    if out is None or not out.exists():
        return None
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        report: dict[str, Any] = json.loads(out.read_text())
        if ours(report):
            return report
    parser.error(f"--out: {out} is there and no report of the same benchmark and device: give another, or remove it")
