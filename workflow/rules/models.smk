# Networks, trained on the digits.


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


rule models:
    input:
        expand(rules.train_model.output, model=config["models"]),
