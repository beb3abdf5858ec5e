"""What people type. Without a target: everything of the configured scale."""


rule all:
    default_target: True
    input:
        products(FULL, "tables"),
        [f"figures/{FULL}/{domain}" for domain in DOMAINS],
        f"results/{FULL}/tracked",


rule demo:
    input:
        products(DEMO, "tables"),
        [f"figures/{DEMO}/{domain}" for domain in config["demo"]],
        f"results/{DEMO}/tracked",


for domain in DOMAINS:

    rule:
        name:
            domain
        input:
            f"results/{FULL}/tables/{domain}",
            f"figures/{FULL}/{domain}",


rule figures:
    input:
        [f"figures/{FULL}/{domain}" for domain in DOMAINS],


rule tables:
    input:
        products(FULL, "tables"),


rule tracking:
    input:
        f"results/{FULL}/tracked",
