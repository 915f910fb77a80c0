# Activation maximisation: images that the network takes for a class. One job for the searches of a model among pixels,
# which wait for no generator, and one for those that need generative models.


for (synthesis_model, generative), names in SYNTHESIS_JOBS.items():

    rule:
        name:
            f"synthesize_{synthesis_model}_{'generative' if generative else 'pixels'}"
        input:
            **material_of(synthesis_model),
            weights=rules.train_model.output.weights.format(model=synthesis_model),
            generative=[rules.train_generator.output.weights.format(generator=name) for name in generative],
        output:
            syntheses=[file_of(config, name) for name in names],
        log:
            f"<logs>/synthesize/{synthesis_model}_{'generative' if generative else 'pixels'}.log",
        benchmark:
            f"<benchmarks>/synthesize/{synthesis_model}_{'generative' if generative else 'pixels'}.tsv"
        conda:
            "../../envs/compute.yaml"
        threads: 1
        resources:
            **GPU,
        params:
            code=code_digest(
                "nn_interpretability.study.syntheses",
                *architectures_of([synthesis_model, *judges_of(synthesis_model)]),
            ),
            entries={name: config["syntheses"][name] for name in names},
            generative=generative,
            architecture=architecture(synthesis_model),
            judge_architecture=next(map(architecture, judges_of(synthesis_model)), None),
            seed=derive_seed(config["seed"], "synthesize"),
        script:
            "../../scripts/synthesize.py"


rule syntheses:
    input:
        [file_of(config, name) for name in config["syntheses"]],
