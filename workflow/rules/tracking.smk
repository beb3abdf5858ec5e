"""MLflow, written after the fact by one writer at a time: a fresh store does not bear several."""


rule track:
    input:
        lambda wildcards: [path for domain in STUDIES[wildcards.study] for path in summaries(wildcards.study, domain)],
        lambda wildcards: [f"figures/{wildcards.study}/{domain}" for domain in STUDIES[wildcards.study]],
    output:
        touch("results/{study}/tracked"),
    params:
        folders=lambda wildcards: [
            folder for domain in STUDIES[wildcards.study] for folder in folders(wildcards.study, domain)
        ],
    log:
        "results/{study}/logs/track.log",
    resources:
        mlflow_writers=1,
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions track {params.folders} --figures figures/{wildcards.study} --store results/mlflow"
        " 2> >(tee {log} >&2)"
