"""One run: resumable, since its state is not declared and so survives a failure."""


rule run:
    input:
        lineage=needed,
    output:
        f"{RUN}/events.parquet",
        f"{RUN}/lineage.json",
        summary=f"{RUN}/summary.json",
    params:
        folder=subpath(output.summary, parent=True),
        overrides=changes,
        lineage=lambda wildcards, input: options("--lineage", [input.lineage] if input.lineage else []),
        made_from=lambda wildcards: made_from(dataclasses.replace(named(wildcards), seed=0)),
    log:
        RUN_LOG,
    threads: lambda wildcards: REQUESTED.cores(named(wildcards))
    resources:
        execution=execution,
    conda:
        "../../environment.yml"
    shell:
        "python -m reproductions run {wildcards.domain:q} {wildcards.method:q} --problem {wildcards.problem:q}"
        " --variant {wildcards.variant:q} --seed {wildcards.seed:q} --scale {wildcards.scale:q} --workers {threads}"
        " {resources.execution}"
        " --out {params.folder:q} {params.lineage:q} {params.overrides:q}"
        " 2> >(tee {log:q} >&2)"
