# Generative models of the digits, and samples of them, judged by a network of another kind.


rule train_generator:
    input:
        digits=rules.prepare_digits.output.digits,
    output:
        weights="<results>/generators/{generator}/weights.safetensors",
        card=report(
            "<results>/generators/{generator}/card.json",
            caption="../report/generator.rst",
            category="Models",
            labels={"model": "{generator}", "what": "card"},
        ),
        history="<results>/generators/{generator}/history.csv",
    log:
        "<logs>/train_generator/{generator}.log",
    benchmark:
        "<benchmarks>/train_generator/{generator}.tsv"
    priority: 2  # as networks
    conda:
        "../../envs/compute.yaml"
    threads: 1
    resources:
        **GPU,
    params:
        code=code_digest("nn_interpretability.training.generative"),
        settings=lambda wildcards: config["generators"][wildcards.generator],
        seed=lambda wildcards: generator_seed(wildcards.generator),
    script:
        "../../scripts/train_generator.py"


rule generators:
    input:
        expand(rules.train_generator.output, generator=config["generators"]),


if config["generators"]:

    # One job for all: to start it costs more than to draw.
    rule sample_generators:
        input:
            digits=rules.prepare_digits.output.digits,
            judge=rules.train_model.output.weights.format(model=config["samples"]["judge"]),
            weights=expand(rules.train_generator.output.weights, generator=config["generators"]),
        output:
            samples=expand("<results>/generators/{generator}/samples.h5", generator=config["generators"]),
            metrics=GENERATOR_METRICS[0],
            numbers=GENERATOR_NUMBERS[0],
        log:
            "<logs>/sample_generators.log",
        benchmark:
            "<benchmarks>/sample_generators.tsv"
        conda:
            "../../envs/compute.yaml"
        threads: 1
        resources:
            **GPU,
        params:
            code=code_digest(
                "nn_interpretability.study.samples",
                *architectures_of([config["samples"]["judge"]]),
            ),
            declared=NUMBERS["generators"],
            generators=list(config["generators"]),
            architecture=architecture(config["samples"]["judge"]),
            settings=config["samples"],
            seeds={
                name: derive_seed(config["seed"], "sample_generators", name) for name in config["generators"]
            },
        script:
            "../../scripts/sample_generators.py"
