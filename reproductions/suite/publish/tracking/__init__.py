"""Finished runs into MLflow, after the fact, by one writer at a time; nothing outside this package imports mlflow.

An experiment is a domain. Its runs have three levels, distinguished by the tag ``kind``:

* ``method``: a method on a problem, at a scale: means over its seeds, and the interval of what is reported (``methods``).
* ``seed``, children of a method: one training run each, with what was asked for, its score and its files (``seeds``).
* ``member``, children of a seed: scores and hyperparameters over steps (``members``). MLflow's parameters may not change, so
  that hyperparameters, which do, are metrics.

Figures are runs of the experiment ``figures``. Runs begin and end when what they show did. Numbers that are not finite are left
out, since MLflow would store huge ones in their place, and the tag ``not_finite`` says which (``points``). The tags ``domain``,
``scale``, ``problem``, ``method``, ``variant`` and ``seed`` filter and group. Saved views choose columns and charts
(``views``); ``pages`` knows their addresses. ``store`` and ``schema`` look after the database.

Writing the same again changes nothing: a run has a tag with the digest of what it was made from. Where that has changed, a new
run takes its place and the former one is deleted, as MLflow deletes: its pages can still show and restore it.
"""

import os

# Before mlflow is imported: it would send telemetry, and start job runners that are not needed.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
