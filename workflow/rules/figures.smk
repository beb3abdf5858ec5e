"""Figures, from the events of finished runs alone."""

DRAWING = sorted(
    str(path.relative_to(workflow.basedir)) for path in Path(workflow.basedir).glob("reproductions/suite/figures/*.py")
)


rule figure:
    input:
        lambda wildcards: summaries(wildcards.study, wildcards.experiment),
        DRAWING,
        "reproductions/suite/results/records.py",
        lambda wildcards: f"reproductions/{STUDIES[wildcards.study][wildcards.experiment]['domain']}/analysis.py",
    output:
        report(
            directory("figures/{study}/{experiment}"),
            patterns=["{name}.svg"],
            caption="../report/figure.rst",
            category="{experiment}",
            subcategory="figures",
            labels={"figure": "{name}"},
        ),
    params:
        folders=lambda wildcards: folders(wildcards.study, wildcards.experiment),
        domain=lambda wildcards: STUDIES[wildcards.study][wildcards.experiment]["domain"],
        runs=lambda wildcards: names.in_words(runs(wildcards.study, wildcards.experiment)),
        only=lambda wildcards: STUDIES[wildcards.study][wildcards.experiment].get("figures", []),
    log:
        "results/{study}/logs/figure-{experiment}.log",
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions figure {params.domain:q} {params.folders:q} --out {output:q} --only {params.only:q}"
        " 2> >(tee {log:q} >&2)"


rule paper_figures:
    input:
        lambda wildcards: all_summaries(wildcards.study),
        DRAWING,
        "reproductions/suite/results/records.py",
        table="results/{study}/runs.csv",
    output:
        report(
            directory("figures/{study}/paper"),
            patterns=["{name}.svg"],
            caption="../report/paper.rst",
            category="paper",
            subcategory="figures",
            labels={"figure": "{name}"},
        ),
    params:
        folders=lambda wildcards: all_folders(wildcards.study),
    log:
        "results/{study}/logs/figure-paper.log",
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions paper {params.folders:q} --table {input.table:q} --out {output:q} 2> >(tee {log:q} >&2)"
