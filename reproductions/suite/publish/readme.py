"""Fills the blocks of the READMEs and of docs from the files they name: no number or code in them is typed by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reproductions.suite.results.statistics import Estimate
from reproductions.suite.results.tables import read
from reproductions.suite.study.inputs import InputError, read_json, read_text

#: The columns of a table that a README shows, as far as the file has them: title and format.
COLUMNS = {
    "domain": ("domain", ""),
    "claim": ("claim", ""),
    "paper": ("the paper", ""),
    "test": ("test", ""),
    "ours": ("ours", ""),
    "unit": ("unit", ""),
    "margin": ("margin", ".3g"),
    "detectable": ("detectable at 80 % power", ".3g"),
    "problem": ("problem", ""),
    "method": ("method", ""),
    "seeds": ("seeds", ""),
    "without_score": ("without a score", ""),
    "without_value": ("runs without a value", ""),
    "incomplete": ("incomplete seeds", ""),
    "reported_final_mean": ("reported, final best member", ""),
    "human_normalised_mean": ("human-normalised, %", ""),
    "reported_best_mean": ("best ever, during training", ""),
    "fid_final_mean": ("FID", ".1f"),
    "member_steps_mean": ("member-steps", ".0f"),
    "clock_steps_mean": ("steps one after another", ".0f"),
    "cpu_s_mean": ("CPU s", ".0f"),
    "wall_s_mean": ("wall s", ".0f"),
    "fixed": ("fixed", ""),
    "size": ("size", ""),
    "p_holm": ("p, by Holm", ".2g"),
    "verdict": ("verdict", ""),
    "command": ("command", ""),
}
#: Columns that count what is missing.
MISSING = ("without_score", "without_value", "incomplete")
#: Those of a claim on the front page.
OF_A_VERDICT = ("domain", "claim", "paper", "ours", "unit", "margin", "seeds", "fixed", "p_holm", "verdict")
BLOCK = re.compile(r"<!-- (table|verdicts|bench|code|text|captions): (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def readmes(root: Path) -> list[Path]:
    """The README of the project, those of its domains, and the pages of docs."""
    return [root / "README.md", *sorted(root.glob("docs/**/*.md")), *sorted(root.glob("reproductions/*/README.md"))]


def fill(text: str, root: Path) -> str:
    """``text`` with every block made anew; InputError names a file that is missing or is not what it should be."""

    def made(match: re.Match[str]) -> str:
        kind, path = match.groups()
        return f"<!-- {kind}: {path} -->\n{MAKERS[kind](root / path)}<!-- end -->"

    return BLOCK.sub(made, text)


def table(path: Path) -> str:
    """The main columns of a table as Markdown; what is missing only where something is."""
    frame = read(path)
    frame = frame.drop(columns=[name for name in MISSING if name in frame and not frame[name].any()])
    return _markdown(frame, [name for name in COLUMNS if name in frame])


def verdicts(path: Path) -> str:
    """Of a table of claims, those that were judged, in short, and how many of each domain were not."""
    frame = read(path)
    judged = frame.verdict != "not run"
    waiting = frame[~judged].groupby("domain").size()
    counts = ", ".join(f"{count} of {domain}" for domain, count in waiting.items())
    return _markdown(frame[judged], OF_A_VERDICT) + (f"\nNot run yet: {counts}.\n" if counts else "")


def _markdown(frame: pd.DataFrame, names: Sequence[str]) -> str:
    """These columns of a table; a value and its interval are one cell."""
    shown = {name: COLUMNS[name] for name in names}
    lines = ["| " + " | ".join(title for title, _ in shown.values()) + " |", "|" + "---|" * len(shown)]
    for row in frame.to_dict("records"):
        cells = [
            str(Estimate(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))))
            if f"{name}_low" in frame
            else cell(row[name], form)
            for name, (_, form) in shown.items()
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cell(value: Any, form: str) -> str:
    """A value of a table in this format; a dash where there is none."""
    return "-" if value is None or value != value else format(value, form)


def bench(path: Path) -> str:
    """The figures of a benchmark's JSON as Markdown: a column for each object of figures, then the figures that stand alone."""
    measured = read_json(path)
    if not isinstance(measured, dict):
        raise InputError(f"{path}: must be a JSON object")
    alone = {key: value for key, value in measured.items() if isinstance(value, float)}
    columns = {key: value for key, value in measured.items() if isinstance(value, dict) and _are_figures(value)}
    tables = [_figures(columns)] if columns else []
    tables += [_figures({"value": alone})] if alone else []
    return "\n".join(tables)


def _are_figures(measured: dict[str, Any]) -> bool:
    return all(isinstance(value, float) for value in measured.values())


def _figures(columns: Mapping[str, Mapping[str, float]]) -> str:
    lines = ["| measure | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for name in dict.fromkeys(name for column in columns.values() for name in column):
        cells = [cell(column.get(name), ".4g") for column in columns.values()]
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def code(path: Path) -> str:
    """A source file in a fence."""
    return f"```python\n{read_text(path)}```\n"


def text(path: Path) -> str:
    """A file as it is."""
    return f"```\n{read_text(path)}```\n"


def captions(_: Path) -> str:
    """What each figure shows."""
    from reproductions.suite.figures.captions import CAPTIONS  # with matplotlib, which nothing else here needs

    lines = [f"| `{name}` | {text} |" for name, text in CAPTIONS.items()]
    return "\n".join(["| figure | what it shows |", "|---|---|", *lines]) + "\n"


MAKERS: dict[str, Callable[[Path], str]] = {
    "captions": captions,
    "table": table,
    "verdicts": verdicts,
    "bench": bench,
    "code": code,
    "text": text,
}
