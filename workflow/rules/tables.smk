"""Methods side by side, with statistics over seeds."""


rule table:
    input:
        lambda wildcards: summaries(wildcards.study, wildcards.domain),
    output:
        report(
            directory("results/{study}/tables/{domain}"),
            patterns=["{name}.csv"],
            caption="../report/table.rst",
            category="{domain}",
            subcategory="tables",
            labels={"table": "{name}"},
        ),
    params:
        folders=lambda wildcards: folders(wildcards.study, wildcards.domain),
    log:
        "results/{study}/logs/table-{domain}.log",
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions table {wildcards.domain} {params.folders} --out {output} 2> >(tee {log} >&2)"
