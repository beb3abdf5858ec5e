"""All runs in one table, and the verdicts on the paper's claims that they give."""


rule runs_table:
    input:
        lambda wildcards: summaries(all_runs(wildcards.study)),
    output:
        "results/{study}/runs.csv",
    params:
        folders=lambda wildcards: in_shell(all_runs(wildcards.study)),
        made_by=made_by("suite.results.run_table", *SWEEPS),
    log:
        "results/{study}/logs/runs.log",
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions runs {params.folders} --out {output:q} 2> >(tee {log:q} >&2)"


rule verdicts:
    input:
        runs="results/{study}/runs.csv",
    output:
        report(
            "results/{study}/claims/claims.csv",
            caption="../report/claims.rst",
            category="claims",
            labels={"table": "verdicts"},
        ),
    params:
        folder=subpath(output[0], parent=True),
        runs=lambda wildcards: len(all_runs(wildcards.study)),
        made_by=made_by("suite.results.verdicts", "suite.results.run_table", *ANALYSES, *SWEEPS),
    log:
        "results/{study}/logs/claims.log",
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions claims {input.runs:q} --out {params.folder:q} 2> >(tee {log:q} >&2)"
