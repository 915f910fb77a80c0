# DeepDream: a photograph, the first network of a list whose weights can be had, and what it sees in the photograph.


localrules:
    prepare_dream,


# Networks of the list that are under models.
DREAMERS = [entry["name"] for entry in config["deepdream"]["models"] if entry["name"] in config["models"]]


# What an earlier run had: a worse photograph or network does not replace it.
DREAMED = record(DREAM_RECORD)


rule prepare_dream:
    input:
        weights=expand(rules.train_model.output.weights, model=DREAMERS),
    output:
        # Kept while the job runs, so that worse ones can be refused.
        photograph=update("<results>/dreams/photograph.h5"),
        weights=update("<results>/dreams/weights.safetensors"),
        record=update("<results>/dreams/record.json"),
    log:
        "<logs>/prepare_dream.log",
    benchmark:
        "<benchmarks>/prepare_dream.tsv"
    conda:
        "../../envs/compute.yaml"
    threads: 1
    resources:
        local=config["data"]["local"] or "",
    params:
        code=code_digest("nn_interpretability.study.dream_inputs"),
        photograph=photographs.look_up(config["data"]["local"], DREAMED.get("photograph")),
        available=pretrained.look_up(
            config["deepdream"]["models"],
            config["data"]["local"],
            DREAMERS,
            download=config["data"]["download"],
            earlier=DREAMED.get("network"),
        ),
        download=config["data"]["download"],
        models=config["deepdream"]["models"],
        trained={name: architecture(name) for name in DREAMERS},
        normalisations={
            name: networks.normalisation_of(config, config["models"][name]["probe"])
            for name in DREAMERS
            if name in IMPORTED
        },
    script:
        "../../scripts/prepare_dream.py"


rule dream:
    input:
        photograph=rules.prepare_dream.output.photograph,
        weights=rules.prepare_dream.output.weights,
    output:
        dream="<results>/dreams/{dream}.h5",
    log:
        "<logs>/dream/{dream}.log",
    benchmark:
        "<benchmarks>/dream/{dream}.tsv"
    conda:
        "../../envs/compute.yaml"
    threads: 1
    resources:
        **GPU,
    params:
        code=code_digest("nn_interpretability.study.dreams", "nn_interpretability.study.leave_one_out"),
        settings=lambda wildcards: config["dreams"][wildcards.dream],
        seed=derive_seed(config["seed"], "dream"),
    script:
        "../../scripts/dream.py"


rule activation_views:
    input:
        weights=lambda wildcards: rules.train_model.output.weights.format(
            model=config["activation_views"][wildcards.view]["model"]
        ),
        probe=lambda wildcards: rules.select_probes.output.probe.format(
            probe=config["activation_views"][wildcards.view]["probe"]
        ),
    output:
        views="<results>/activation_views/{view}.h5",
    log:
        "<logs>/activation_views/{view}.log",
    benchmark:
        "<benchmarks>/activation_views/{view}.tsv"
    conda:
        "../../envs/compute.yaml"
    threads: 1
    params:
        code=lambda wildcards: code_digest(
            "nn_interpretability.study.activation_views",
            *architectures_of([config["activation_views"][wildcards.view]["model"]]),
        ),
        architecture=lambda wildcards: architecture(config["activation_views"][wildcards.view]["model"]),
        settings=lambda wildcards: {
            key: config["activation_views"][wildcards.view][key] for key in ("layers", "picture", "count")
        },
    script:
        "../../scripts/activation_views.py"
