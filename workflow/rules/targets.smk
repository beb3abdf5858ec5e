"""What people type. Without a target: everything of the configured scale that can run here."""


rule all:
    default_target: True
    input:
        lambda wildcards: tables(FULL),
        lambda wildcards: figures(FULL),
        f"figures/{FULL}/paper",
        f"results/{FULL}/claims/claims.csv",
        f"results/{FULL}/tracked",


rule demo:
    input:
        lambda wildcards: tables(DEMO),
        lambda wildcards: figures(DEMO),
        f"results/{DEMO}/claims/claims.csv",
        f"results/{DEMO}/tracked",


for experiment in config["experiments"]:

    rule:
        name:
            experiment
        input:
            f"results/{FULL}/tables/{experiment}",
            f"figures/{FULL}/{experiment}",


rule figures:
    input:
        lambda wildcards: drawn(FULL),


rule tables:
    input:
        lambda wildcards: tables(FULL),


rule claims:
    input:
        f"results/{FULL}/claims/claims.csv",


rule tracking:
    input:
        f"results/{FULL}/tracked",
