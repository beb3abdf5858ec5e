"""Figures, from the events of finished runs alone.

To start Python and to read runs takes longer than to draw most figures, and experiments share runs. So `snakemake figures` has
one job a domain; `snakemake EXPERIMENT` and the report have one an experiment, which needs no other runs.
"""

rule figure:
    input:
        lambda wildcards: summaries(runs(wildcards.study, wildcards.experiment)),
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
        drawing=lambda wildcards: drawing(wildcards.study, wildcards.experiment),
        number=lambda wildcards: len(runs(wildcards.study, wildcards.experiment)),
        domain=domain_of,
        runs=lambda wildcards: names.in_words(runs(wildcards.study, wildcards.experiment)),
        made_by=lambda wildcards: made_by(f"{domain_of(wildcards)}.analysis"),
    log:
        "results/{study}/logs/figure-{experiment}.log",
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions figure {params.domain:q} {params.drawing} 2> >(tee {log:q} >&2)"


rule figures_of_domain:
    input:
        lambda wildcards: summaries(
            dict.fromkeys(
                run
                for experiment in of_domain(wildcards.study, wildcards.domain)
                for run in runs(wildcards.study, experiment)
            )
        ),
    output:
        touch("figures/{study}/.drawn-{domain}"),
    params:
        made_by=lambda wildcards: made_by(f"{wildcards.domain}.analysis"),
        # Of more problems figures have other names, so those of an earlier drawing go.
        drawings=lambda wildcards: " --then ".join(
            " ".join([*drawing(wildcards.study, experiment), "--replace"])
            for experiment in of_domain(wildcards.study, wildcards.domain)
        ),
    log:
        "results/{study}/logs/figures-{domain}.log",
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions figure {wildcards.domain:q} {params.drawings} 2> >(tee {log:q} >&2)"


rule paper_figures:
    input:
        lambda wildcards: summaries(all_runs(wildcards.study)),
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
        folders=lambda wildcards: in_shell(all_runs(wildcards.study)),
        number=lambda wildcards: len(all_runs(wildcards.study)),
        made_by=made_by("suite.figures.paper", "suite.results.run_table", *SWEEPS),
    log:
        "results/{study}/logs/figure-paper.log",
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions paper {params.folders} --out {output:q} 2> >(tee {log:q} >&2)"
