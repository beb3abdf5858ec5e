import json

from checkouts import ROOT, copied, snakemake

from reproductions.suite.study import registry


def test_the_smoke_scale_runs_from_end_to_end_and_again_does_nothing(tmp_path):
    """Every domain: runs, tables, figures, MLflow, and the report as one file that needs no network."""
    checkout = copied(tmp_path)
    (ROOT / "data").mkdir(exist_ok=True)
    (checkout / "data").symlink_to(ROOT / "data")  # shared, since making them takes minutes
    snakemake("all", "--configfile", "config/smoke.yaml", cwd=checkout)
    summaries = [json.loads(path.read_text()) for path in checkout.glob("results/smoke/runs/*/*/*/*/*/summary.json")]
    assert {s["domain"] for s in summaries} == set(registry.domains())
    assert all(s["finished"] and s["scale"] == "smoke" for s in summaries)
    assert (checkout / "results/smoke/tables/gan/comparison.csv").exists()
    assert (checkout / "figures/smoke/gan/population.svg").exists()
    assert (checkout / "results/mlflow/mlflow.db").exists()
    again = snakemake("all", "--configfile", "config/smoke.yaml", cwd=checkout)
    assert "Nothing to be done" in again.stdout + again.stderr

    snakemake("all", "--configfile", "config/smoke.yaml", "--report", "report.html", cwd=checkout)
    report = (checkout / "report.html").read_text()
    assert "figure2" in report
    assert 'src="http' not in report
