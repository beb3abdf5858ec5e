"""MLflow, written after the fact by one writer at a time: a fresh store does not bear several."""


rule track:
    input:
        lambda wildcards: summaries(all_runs(wildcards.study)),
        lambda wildcards: figures(wildcards.study),
    output:
        touch("results/{study}/tracked"),
    params:
        folders=lambda wildcards: in_shell(all_runs(wildcards.study)),
        figures="figures/{study}",
    log:
        "results/{study}/logs/track.log",
    resources:
        mlflow_writers=1,
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions track {params.folders} --figures {params.figures:q} --store results/mlflow"
        " 2> >(tee {log:q} >&2)"
