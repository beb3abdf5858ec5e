"""What people type. Without a target: everything of the configured scale."""


rule all:
    default_target: True
    input:
        products(FULL, "tables"),
        [f"figures/{FULL}/{experiment}" for experiment in [*EXPERIMENTS, "paper"]],
        f"results/{FULL}/claims/claims.csv",
        f"results/{FULL}/tracked",


rule demo:
    input:
        products(DEMO, "tables"),
        [f"figures/{DEMO}/{experiment}" for experiment in config["demo"]],
        f"results/{DEMO}/claims/claims.csv",
        f"results/{DEMO}/tracked",


for experiment in EXPERIMENTS:

    rule:
        name:
            experiment
        input:
            f"results/{FULL}/tables/{experiment}",
            f"figures/{FULL}/{experiment}",


rule figures:
    input:
        [f"figures/{FULL}/{experiment}" for experiment in [*EXPERIMENTS, "paper"]],


rule tables:
    input:
        products(FULL, "tables"),


rule claims:
    input:
        f"results/{FULL}/claims/claims.csv",


rule tracking:
    input:
        f"results/{FULL}/tracked",
