"""Views of an experiment's runs as MLflow's pages keep them: few columns of a table, few charts with titles.

MLflow 3.15 and newer list them under "Views". A view is a tag of the experiment: a name and a state in JSON, whose keys are those
of the state that MLflow's pages keep themselves (``viewStateShareKey`` in an address names the view).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient

from reproductions.suite.study.sweep import Measure

PREFIX = "mlflow.sharedViewState."
TABLE = "methods"
#: What stands beside the names of runs: few enough to be seen without scrolling.
COLUMNS = ("final", "final_low", "final_high", "best", "seeds", "cpu_s")
#: MLflow's limit for the value of an experiment's tag.
LONGEST = 5000
#: Of what methods have, no charts by default: each would be a picture of single numbers.
NO_CHARTS = ("final_low", "final_high", "seeds")


@dataclass(frozen=True)
class View:
    """A saved view: the end of its tag's key, its name in the list, and what it shows."""

    key: str
    name: str
    state: Mapping[str, Any]

    @property
    def tag(self) -> str:
        return PREFIX + self.key


def table() -> View:
    """Methods that unfold into their seeds: MLflow nests runs only where they are sorted by their start."""
    state = {
        "selectedColumns": [f"metrics.`{name}`" for name in COLUMNS] + ["attributes.`Duration`"],
        "searchFilter": "tags.kind != 'member'",
        **_BY_START,
    }
    return View(TABLE, "Methods and their seeds", state)


def everything() -> View:
    """As ``table``, with members, of which MLflow loads a hundred at a time."""
    state = {**table().state, "searchFilter": ""}
    return View("members", "Methods, seeds and members", state)


def charts_key(scale: str, problem: str) -> str:
    return "charts-" + re.sub(r"[^A-Za-z0-9_-]", "-", f"{scale}-{problem}")


def charts(scale: str, problem: str, measure: Measure | None) -> View:
    """The methods on one problem side by side: scores over steps, what they came to, and what it took."""
    score = "score"
    if measure is not None:
        score = (measure.held_out or measure.score) + (f" ({measure.unit})" if measure.unit else "")
    section = "methods"
    titles = {
        "best_so_far": f"Best so far: {score}, mean over seeds",
        "final": f"Final: {score}, mean over seeds",
        "best": f"Best at any time: {score}, mean over seeds",
        "cpu_s": "CPU seconds of a run, mean over seeds",
    }
    cards = [_card(name, title, section, deleted=False) for name, title in titles.items()]
    cards += [_card(name, name, section, deleted=True) for name in NO_CHARTS]
    state = {
        "searchFilter": f"tags.kind = 'method' and tags.scale = '{scale}' and tags.problem = '{problem}'",
        **_BY_START,
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": cards,
        "compareRunSections": [
            {"uuid": section, "name": f"Methods on {problem} ({scale})", "display": True, "isReordered": True,
             "deleted": False, "isGenerated": False}
        ],
    }  # fmt: skip
    return View(charts_key(scale, problem), f"Charts of the methods on {problem} ({scale})", state)


_BY_START = {"orderByKey": "attributes.start_time", "orderByAsc": True}


def _card(metric: str, title: str, section: str, deleted: bool) -> dict[str, Any]:
    curve = metric == "best_so_far"
    card = {"uuid": metric, "type": "LINE" if curve else "BAR", "metricKey": metric, "displayName": title,
            "metricSectionId": section, "runsCountToCompare": 20, "deleted": deleted, "isGenerated": False}  # fmt: skip
    if curve:
        card |= {"selectedMetricKeys": [metric], "xAxisKey": "step", "useGlobalXaxisKey": True}
    return card


def write(client: MlflowClient, experiment: str, views: Sequence[View]) -> None:
    """Keep views with an experiment; those that are there and say the same stay as they are."""
    tags = client.get_experiment(experiment).tags
    for view in views:
        state = json.dumps(view.state, separators=(",", ":"))
        if not _says(tags.get(view.tag), view.name, state):
            now = round(1000 * time.time())
            value = json.dumps({"name": view.name, "createdAt": now, "updatedAt": now, "state": state})
            if len(value) <= LONGEST:  # else MLflow would refuse all that is written
                client.set_experiment_tag(experiment, view.tag, value)


def _says(kept: str | None, name: str, state: str) -> bool:
    try:
        envelope = json.loads(kept or "{}")
    except ValueError:
        return False
    return isinstance(envelope, dict) and (envelope.get("name"), envelope.get("state")) == (name, state)
