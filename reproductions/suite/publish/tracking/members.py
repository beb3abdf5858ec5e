"""The members of a training run: each is a child run with its scores and hyperparameters over steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.types as types
from mlflow import MlflowClient

from reproductions.suite.publish.tracking import names
from reproductions.suite.publish.tracking.client import log
from reproductions.suite.publish.tracking.points import Curve, metrics, training_period
from reproductions.suite.results.records import Record


def write(client: MlflowClient, experiment: str, record: Record, parent: str) -> None:
    """Write the members of a run as children of ``parent``."""
    period, lineage, table = training_period(record), record.lineage, record.events.evaluations()
    for member in lineage.members:
        points, not_finite = metrics(dict(curves(table, member)), {}, period)
        tags = names.identity(record, "member") | {"member": str(member)}
        clones = [clone for clone in lineage.clones if clone["member"] == member]
        tags |= {
            "mlflow.parentRunId": parent,
            "descends_from": str(lineage.founder(member)),
            "copied_from_others": str(len(clones)),
            **({"last_copied": f"member {clones[-1]['parent']} at step {clones[-1]['step']}"} if clones else {}),
            "is_final_best": str(member == lineage.best).lower(),
            **not_finite,
        }
        name = names.run_name(tags)
        run = client.create_run(experiment, start_time=period.begun, tags=tags, run_name=name).info.run_id
        log(client, run, points)
        client.set_terminated(run, end_time=period.ended)


def curves(evaluations: pa.Table, member: int) -> Iterator[tuple[str, Curve]]:
    """The numbers of a member, by name: the score, the held-out score, metrics and hyperparameters where it has them."""
    rows = np.flatnonzero(evaluations["member"].to_numpy() == member)
    ours = evaluations.take(pa.array(rows)).drop_columns(["member"])
    steps = ours["step"].to_pylist()
    for name in ours.column_names:
        column = ours[name]
        if name != "step" and (types.is_floating(column.type) or types.is_integer(column.type)):
            values = zip(steps, column.to_pylist(), strict=True)
            yield name.partition(".")[2] or name, [(step, value) for step, value in values if value is not None]
