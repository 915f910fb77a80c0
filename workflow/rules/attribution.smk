# One job per model and method: all entries of the configuration that explain this model by this method, since to start
# a process costs more than to explain a handful of pictures.


for (model_name, method_name), names in ATTRIBUTION_JOBS.items():

    rule:
        name:
            f"attribute_{model_name}_{method_name}"
        input:
            weights=rules.train_model.output.weights.format(model=model_name),
            probes=[
                rules.select_probes.output.probe.format(probe=attribution(name)["probe"]) for name in names
            ],
        output:
            attributions=expand(ATTRIBUTION, attribution=names),
        log:
            f"<logs>/attribute/{model_name}_{method_name}.log",
        benchmark:
            f"<benchmarks>/attribute/{model_name}_{method_name}.tsv"
        conda:
            "../../envs/compute.yaml"
        threads: 1
        resources:
            **GPU,
        params:
            code=code_digest(
                "nn_interpretability.study.attribute",
                *modules_of(names),
                *architectures_of([model_name]),
            ),
            architecture=architecture(model_name),
            entries={name: attribution(name) for name in names},
        script:
            "../../scripts/attribute.py"


rule attributions:
    input:
        expand(ATTRIBUTION, attribution=config["attributions"]),
