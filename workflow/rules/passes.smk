# Stochastic passes: scores of chunks of passes, explanations of the same chunks, and all chunks together. The passes of a
# chunk have the same bits whichever job computes them, so chunks are jobs, and asking for more passes runs the new ones.


for (model_name, begin, end), names in DRAW_JOBS.items():

    rule:
        name:
            f"draw_passes_{model_name}_{begin}_{end}"
        input:
            weights=rules.train_model.output.weights.format(model=model_name),
            probes=[probe_file(config["passes"][name]["probe"]) for name in names],
        output:
            passes=[passes_file(config, name, begin, end) for name in names],
        log:
            f"<logs>/draw_passes/{model_name}_{chunk_name(begin, end)}.log",
        benchmark:
            f"<benchmarks>/draw_passes/{model_name}_{chunk_name(begin, end)}.tsv"
        conda:
            "../../envs/compute.yaml"
        threads: 1
        resources:
            **GPU,
        params:
            code=code_digest("nn_interpretability.study.draw_passes", *architectures_of([model_name])),
            architecture=architecture(model_name),
            entries={name: drawn_settings(config, name) for name in names},
            begin=begin,
            end=end,
        script:
            "../../scripts/draw_passes.py"


for (model_name, method_name, begin, end), names in ATTRIBUTE_CHUNK_JOBS.items():

    rule:
        name:
            f"attribute_chunk_{model_name}_{method_name}_{begin}_{end}"
        input:
            **{f"probe_{name}": probe_file(passes_of(name)["probe"]) for name in names},
            **{f"drawn_{name}": drawn_files(config, name, begin, end) for name in names},
            weights=rules.train_model.output.weights.format(model=model_name),
        output:
            sums=[sums_file(config, name, begin, end) for name in names],
        log:
            f"<logs>/attribute_chunk/{model_name}_{method_name}_{chunk_name(begin, end)}.log",
        benchmark:
            f"<benchmarks>/attribute_chunk/{model_name}_{method_name}_{chunk_name(begin, end)}.tsv"
        conda:
            "../../envs/compute.yaml"
        threads: 1
        resources:
            **GPU,
        params:
            code=code_digest(
                "nn_interpretability.study.attribute_chunk",
                *modules_of(names, "pass_attributions"),
                *architectures_of([model_name]),
            ),
            architecture=architecture(model_name),
            entries={name: explained_settings(config, name) for name in names},
            begin=begin,
        script:
            "../../scripts/attribute_chunk.py"


for model_name, names in MERGE_JOBS.items():

    rule:
        name:
            f"merge_passes_{model_name}"
        input:
            **{f"probe_{name}": probe_file(passes_of(name)["probe"]) for name in names},
            **{f"drawn_{name}": drawn_files(config, name) for name in names},
            **{f"sums_{name}": sums_files(config, name) for name in names},
        output:
            merged=expand(PASS_ATTRIBUTION, name=names),
            numbers=expand(PASS_NUMBERS, name=names),
        log:
            f"<logs>/merge_passes/{model_name}.log",
        benchmark:
            f"<benchmarks>/merge_passes/{model_name}.tsv"
        localrule: True
        conda:
            "../../envs/compute.yaml"
        threads: 1
        params:
            code=code_digest("nn_interpretability.study.merge_passes"),
            declared={name: NUMBERS[f"passes/{name}"] for name in names},
            entries={name: merged_settings(config, name) for name in names},
        script:
            "../../scripts/merge_passes.py"


rule passes:
    input:
        [
            passes_file(config, name, *chunk)
            for name, entry in config["passes"].items()
            for chunk in chunks(entry)
        ],
        expand(PASS_ATTRIBUTION, name=config["pass_attributions"]),
        expand(PASS_NUMBERS, name=config["pass_attributions"]),
