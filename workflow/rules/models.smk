# Networks: trained on the digits, or imported with their weights.


rule train_model:
    input:
        digits=rules.prepare_digits.output.digits,
    output:
        weights="<results>/models/{model}/weights.safetensors",
        card=report(
            "<results>/models/{model}/card.json",
            caption="../report/card.rst",
            category="Models",
            labels={"model": "{model}", "what": "card"},
        ),
        history="<results>/models/{model}/history.csv",
    log:
        "<logs>/train_model/{model}.log",
    benchmark:
        "<benchmarks>/train_model/{model}.tsv"
    wildcard_constraints:
        model="|".join([*TRAINED, *REPLICAS]) or "none",
    # Networks before claims before all else, lest the longest chain be left alone on one core at the end.
    priority: 2
    conda:
        "../../envs/compute.yaml"
    threads: 1
    resources:
        **GPU,
    params:
        code=lambda wildcards: code_digest(
            "nn_interpretability.training.loop",
            architecture_module(model(wildcards)["architecture"]),
            loss_module(model(wildcards)["loss"]),
        ),
        settings=model,
        seed=lambda wildcards: model_seed(wildcards.model),
    script:
        "../../scripts/train_model.py"


# Weights and card of the same names, so that what follows sees one kind of network.
rule import_model:
    input:
        probe=lambda wildcards: probe_file(model(wildcards)["probe"]),
        weights=lambda wildcards: files_of(model(wildcards)["weights"]),
    output:
        weights="<results>/models/{model}/weights.safetensors",
        card=report(
            "<results>/models/{model}/card.json",
            caption="../report/card.rst",
            category="Models",
            labels={"model": "{model}", "what": "card"},
        ),
    log:
        "<logs>/import_model/{model}.log",
    benchmark:
        "<benchmarks>/import_model/{model}.tsv"
    wildcard_constraints:
        model="|".join(IMPORTED) or "none",
    conda:
        "../../envs/compute.yaml"
    threads: 1
    resources:
        **GPU,
        local=config["data"]["local"] or "",
    params:
        # Of the network's file, too: editing it makes run again what depends on it.
        code=lambda wildcards: code_digest(
            "nn_interpretability.study.import_model", *architectures_of([wildcards.model])
        ),
        architecture=lambda wildcards: architecture(wildcards.model),
        weights=lambda wildcards: model(wildcards)["weights"],
    script:
        "../../scripts/import_model.py"


rule models:
    input:
        expand(rules.train_model.output, model=TRAINED),
        expand(rules.import_model.output, model=IMPORTED),
