import json

import yaml
from checkouts import ROOT, copied, snakemake

from reproductions.suite.results import tables as tables_of
from reproductions.suite.study import registry


def test_the_smoke_scale_runs_from_end_to_end_and_again_does_nothing(tmp_path):
    """Every domain: runs, tables, figures, verdicts and MLflow. (Reports are tests of ``test_browser``.)"""
    checkout = copied(tmp_path)
    (ROOT / "data").mkdir(exist_ok=True)
    (checkout / "data").symlink_to(ROOT / "data")  # shared, since making them takes minutes
    snakemake("all", "--configfile", "config/smoke.yaml", cwd=checkout)
    summaries = [json.loads(path.read_text()) for path in checkout.glob("results/smoke/runs/*/*/*/*/*/summary.json")]
    assert {s["domain"] for s in summaries} == set(registry.domains())
    assert all(s["finished"] and s["scale"] == "smoke" for s in summaries)
    asked = yaml.safe_load((ROOT / "config/config.yaml").read_text())["experiments"]
    for name, experiment in asked.items():
        tables = {path.name for path in (checkout / "results/smoke/tables" / name).iterdir()}
        assert tables >= {"comparison.csv", "comparison.md", "pairs.csv", "pairs.md"}, name
        figures = {path.stem for path in (checkout / "figures/smoke" / name).glob("*.svg")}
        assert figures, name
        for wanted in experiment.get("figures", []):  # by problem where there are several
            assert any(figure == wanted or figure.startswith(f"{wanted}_") for figure in figures), (name, wanted)
    assert (checkout / "figures/smoke/paper/figure3.svg").exists()
    assert tables_of.read(checkout / "results/smoke/claims/claims.csv").verdict.ne("not run").any()
    assert (checkout / "results/mlflow/mlflow.db").exists()
    again = snakemake("all", "--configfile", "config/smoke.yaml", cwd=checkout)
    assert "Nothing to be done" in again.stdout + again.stderr
