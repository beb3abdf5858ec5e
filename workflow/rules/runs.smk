"""One run: resumable, since its state is not declared and so survives a failure."""


rule run:
    input:
        lineage=replayed,
    output:
        "results/{scale}/runs/{domain}/{problem}/{method}/{variant}/seed-{seed}/events.parquet",
        "results/{scale}/runs/{domain}/{problem}/{method}/{variant}/seed-{seed}/lineage.json",
        summary="results/{scale}/runs/{domain}/{problem}/{method}/{variant}/seed-{seed}/summary.json",
    params:
        folder=subpath(output.summary, parent=True),
        overrides=changes,
        lineage=lambda wildcards, input: options("--lineage", [input.lineage] if input.lineage else []),
        sources=lambda wildcards: SOURCES[wildcards.domain],
    log:
        "results/{scale}/logs/{domain}-{problem}-{method}-{variant}-{seed}.log",
    threads: lambda wildcards: config["threads"].get(wildcards.domain, 1)
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions run {wildcards.domain:q} {wildcards.method:q} --problem {wildcards.problem:q}"
        " --variant {wildcards.variant:q} --seed {wildcards.seed:q} --scale {wildcards.scale:q} --workers {threads}"
        " --out {params.folder:q} {params.lineage:q} {params.overrides:q}"
        " 2> >(tee {log:q} >&2)"
