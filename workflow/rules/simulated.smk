"""What waiting for stragglers costs: simulated runs, and the figure of `snakemake stragglers`. No part of `all`."""

STRAGGLERS = config.get("stragglers")
SIMULATED = f"results/{SCALE}/simulated/{{cluster}}/{{mode}}/seed-{{seed}}"
#: How members wait for each other, as options of `run`.
MODES = {"synchronous": ["--sync"], "asynchronous": ["--no-sync"]}

if STRAGGLERS is not None:
    for name in STRAGGLERS["clusters"]:
        checked(cluster_of_config, name)
    MODES |= {f"staleness-{bound}": ["--no-sync", "--staleness", str(bound)] for bound in STRAGGLERS["staleness"]}

    if not AVAILABLE.finished_only:  # else nothing trains, here too

        rule simulated_run:
            input:
                cluster="config/clusters/{cluster}.yaml",
            output:
                f"{SIMULATED}/events.parquet",
                f"{SIMULATED}/lineage.json",
                summary=f"{SIMULATED}/summary.json",
            wildcard_constraints:
                cluster="|".join(map(re.escape, STRAGGLERS["clusters"])),
                mode="|".join(MODES),
            params:
                folder=subpath(output.summary, parent=True),
                domain=STRAGGLERS["domain"],
                method=STRAGGLERS["method"],
                scale=SCALE,
                how=lambda wildcards: MODES[wildcards.mode],
                made_from=made_from(
                    RunName(
                        SCALE,
                        STRAGGLERS["domain"],
                        registry.sweep(STRAGGLERS["domain"]).SCALES[SCALE].problems[0],
                        STRAGGLERS["method"],
                    )
                ),
            log:
                f"results/{SCALE}/logs/simulated/{{cluster}}-{{mode}}-seed-{{seed}}.log",
            conda:
                "../../environment.yml"
            shell:
                "python -m reproductions run {params.domain:q} {params.method:q} --seed {wildcards.seed:q}"
                " --scale {params.scale:q} --variant {wildcards.cluster:q}-{wildcards.mode:q} --engine simulated"
                " --cluster {input.cluster:q} {params.how:q} --out {params.folder:q}"
                " 2> >(tee {log:q} >&2)"

    rule stragglers:
        input:
            summaries=expand(
                f"{SIMULATED}/summary.json",
                cluster=STRAGGLERS["clusters"],
                mode=MODES,
                seed=STRAGGLERS["seeds"],
            ),
        output:
            report(
                directory(f"figures/{SCALE}/stragglers"),
                patterns=["{name}.svg"],
                caption="../report/stragglers.rst",
                category="simulated",
                labels={"figure": "{name}"},
            ),
        params:
            folders=lambda wildcards, input: [str(Path(file).parent) for file in input.summaries],
            method=STRAGGLERS["method"],
            domain=STRAGGLERS["domain"],
            made_by=made_by("suite.figures.stragglers", "suite.results.stragglers", f"{STRAGGLERS['domain']}.sweep"),
        log:
            f"results/{SCALE}/logs/figure-stragglers.log",
        conda:
            "../../environment.yml"
        shell:
            "python -m reproductions stragglers {params.folders:q} --out {output:q} 2> >(tee {log:q} >&2)"
