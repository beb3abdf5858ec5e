"""Methods side by side, with statistics over seeds."""


rule table:
    input:
        lambda wildcards: summaries(runs(wildcards.study, wildcards.experiment)),
    output:
        report(
            directory("results/{study}/tables/{experiment}"),
            patterns=["{name}.csv"],
            caption="../report/table.rst",
            category="{experiment}",
            subcategory="tables",
            labels={"table": "{name}"},
        ),
    params:
        folders=lambda wildcards: in_shell(runs(wildcards.study, wildcards.experiment)),
        number=lambda wildcards: len(runs(wildcards.study, wildcards.experiment)),
        domain=domain_of,
        runs=lambda wildcards: names.in_words(runs(wildcards.study, wildcards.experiment)),
        made_by=lambda wildcards: made_by("suite.results.tables", f"{domain_of(wildcards)}.sweep"),
        budgets=lambda wildcards: (
            ["--budgets-differ"] if STUDIES[wildcards.study][wildcards.experiment].get("budgets_differ") else []
        ),
    log:
        "results/{study}/logs/table-{experiment}.log",
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions table {params.domain:q} {params.folders} --out {output:q} {params.budgets:q}"
        " 2> >(tee {log:q} >&2)"
