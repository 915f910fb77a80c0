# Activation maximisation: images that the network takes for a class. One job for the searches of a model among pixels,
# which wait for no generator, and one for those that need generative models.


for (synthesis_model, generative), names in SYNTHESIS_JOBS.items():

    rule:
        name:
            f"synthesize_{synthesis_model}_{'generative' if generative else 'pixels'}"
        input:
            weights=rules.train_model.output.weights.format(model=synthesis_model),
            judge=rules.train_model.output.weights.format(model=config["samples"]["judge"]),
            first=rules.select_probes.output.probe.format(probe=probe_of_kind("first_of_class")),
            means=rules.select_probes.output.probe.format(probe=probe_of_kind("class_means")),
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
                architecture_module(config["models"][synthesis_model]["architecture"]),
                architecture_module(config["models"][config["samples"]["judge"]]["architecture"]),
            ),
            entries={name: config["syntheses"][name] for name in names},
            generative=generative,
            architecture=config["models"][synthesis_model]["architecture"],
            judge_architecture=config["models"][config["samples"]["judge"]]["architecture"],
            seed=derive_seed(config["seed"], "synthesize"),
        script:
            "../../scripts/synthesize.py"


rule syntheses:
    input:
        [file_of(config, name) for name in config["syntheses"]],
