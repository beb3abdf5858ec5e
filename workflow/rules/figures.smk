"""Figures, from the events of finished runs alone."""


rule figure:
    input:
        lambda wildcards: summaries(wildcards.study, wildcards.domain),
        "reproductions/plotting.py",
        "reproductions/records.py",
        "reproductions/{domain}/analysis.py",
    output:
        report(
            directory("figures/{study}/{domain}"),
            patterns=["{name}.svg"],
            caption="../report/figure.rst",
            category="{domain}",
            subcategory="figures",
            labels={"figure": "{name}"},
        ),
    params:
        folders=lambda wildcards: folders(wildcards.study, wildcards.domain),
    log:
        "results/{study}/logs/figure-{domain}.log",
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions figure {wildcards.domain} {params.folders} --out {output} 2> >(tee {log} >&2)"
