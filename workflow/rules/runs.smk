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
        overrides=overrides,
        lineage=lambda wildcards, input: f"--lineage {input.lineage}" if input.lineage else "",
        # An edited source that can change a run makes it run again.
        sources=lambda wildcards: sources_digest(wildcards.domain),
    log:
        "results/{scale}/logs/{domain}-{problem}-{method}-{variant}-{seed}.log",
    threads: lambda wildcards: config["threads"].get(wildcards.domain, 1)
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions run {wildcards.domain} {wildcards.method} --problem {wildcards.problem}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --scale {wildcards.scale} --workers {threads}"
        " --out {params.folder} {params.lineage} {params.overrides}"
        " 2> >(tee {log} >&2)"
