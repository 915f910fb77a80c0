# One job per method and settings.


rule attribute:
    input:
        weights=lambda wildcards: rules.train_model.output.weights.format(
            model=attribution(wildcards)["model"]
        ),
        probe=lambda wildcards: rules.select_probes.output.probe.format(probe=attribution(wildcards)["probe"]),
    output:
        attribution="<results>/attributions/{attribution}.h5",
    log:
        "<logs>/attribute/{attribution}.log",
    benchmark:
        "<benchmarks>/attribute/{attribution}.tsv"
    conda:
        "../../envs/compute.yaml"
    threads: 1
    resources:
        **GPU,
    params:
        code=lambda wildcards: code_digest(
            "nn_interpretability.study.attribute",
            *method_modules(attribution(wildcards)["method"], attribution(wildcards)["parameters"]),
            architecture_module(config["models"][attribution(wildcards)["model"]]["architecture"]),
        ),
        architecture=lambda wildcards: config["models"][attribution(wildcards)["model"]]["architecture"],
        settings=attribution,
    script:
        "../../scripts/attribute.py"


rule attributions:
    input:
        expand(rules.attribute.output, attribution=config["attributions"]),
