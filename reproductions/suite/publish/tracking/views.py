"""Views of an experiment's runs as MLflow's pages keep them: a table of few columns, and few charts.

MLflow's pages list them under "Views". A view is a tag of the experiment: a name, and a state in JSON with the keys of the
state that the pages themselves keep. ``viewStateShareKey`` in an address opens one.
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
#: What methods are drawn by: the first over steps, the others as bars. Charts are called after the metric.
CHARTS = ("best_so_far", "final", "best", "cpu_s")
#: Pixels of a name and of a number; with MLflow's own, names are cut off.
NAME_WIDTH, NUMBER_WIDTH = 250, 85
#: MLflow's limit for the value of an experiment's tag, in characters.
LONGEST = 5000


@dataclass(frozen=True)
class View:
    """A saved view: the end of its tag's key, its name in the list, and what it shows."""

    key: str
    name: str
    state: Mapping[str, Any]

    @property
    def tag(self) -> str:
        return PREFIX + self.key


#: MLflow nests runs only where they are sorted by their start, or neither sorted nor filtered.
_NESTED = {"orderByKey": "attributes.start_time", "orderByAsc": True}


def table() -> View:
    """Methods that unfold into their seeds. Members are left out, since MLflow's pages load a hundred runs at a time."""
    return _table(TABLE, "Methods and their seeds", "tags.kind != 'member'")


def everything() -> View:
    """Methods that unfold into their seeds, and those into their members."""
    return _table("members", "Methods, their seeds and members", "")


def _table(key: str, name: str, condition: str) -> View:
    columns = [f"metrics.`{column}`" for column in COLUMNS]
    label = "attributes.`Run Name`"
    widths = {label: NAME_WIDTH, **dict.fromkeys(columns, NUMBER_WIDTH)}
    look = {"selectedColumns": columns, "columnOrder": [label, *columns], "columnWidths": widths}
    return View(key, name, {"searchFilter": condition, **_NESTED, **look})


def charts_key(scale: str, problem: str) -> str:
    """The key of the view that ``charts`` makes."""
    return "charts-" + re.sub(r"[^A-Za-z0-9_-]", "-", f"{scale}-{problem}")


def charts(scale: str, problem: str, measure: Measure | None) -> View:
    """The methods on one problem side by side: scores over steps, final scores and costs."""
    score = "score" if measure is None else measure.reported
    unit = f" ({measure.unit})" if measure is not None and measure.unit else ""
    # The heading, of which MLflow shows about 35 characters.
    section = {"uuid": "methods", "name": score + unit, "display": True, "isReordered": True, "deleted": False,
               "isGenerated": False}  # fmt: skip
    # Charts that are not shown are listed as removed: for metrics without one, MLflow adds charts.
    cards = [_card(metric, metric in CHARTS) for metric in (*CHARTS, *(name for name in COLUMNS if name not in CHARTS))]
    state = {
        "searchFilter": f"tags.kind = 'method' and tags.scale = '{scale}' and tags.problem = '{problem}'",
        **_NESTED,
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": cards,
        "compareRunSections": [section],
    }
    return View(charts_key(scale, problem), f"Charts: methods on {problem}, {scale} scale", state)


def _card(metric: str, is_shown: bool) -> dict[str, Any]:
    card: dict[str, Any] = {"uuid": metric, "metricKey": metric, "metricSectionId": "methods", "deleted": not is_shown,
                            "isGenerated": False, "runsCountToCompare": 20}  # fmt: skip
    if metric != "best_so_far":
        return {"type": "BAR", **card}
    axes = {"xAxisKey": "step", "xAxisScaleType": "linear", "scaleType": "linear", "useGlobalXaxisKey": True}
    return {"type": "LINE", **card, **axes, "yAxisKey": "metric", "lineSmoothness": 0, "useGlobalLineSmoothing": True}


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
