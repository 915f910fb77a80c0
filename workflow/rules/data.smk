# The pictures: MNIST or its stand-in, and those of them that are explained; or the pictures of a folder.


localrules:
    prepare_digits,


rule prepare_digits:
    output:
        # Kept while the job runs, so that a worse source can be refused.
        digits=update("<results>/data/digits.h5"),
        record=update(
            report("<results>/data/digits.json", caption="../report/digits.rst", category="Data"),
        ),
    log:
        "<logs>/prepare_digits.log",
    benchmark:
        "<benchmarks>/prepare_digits.tsv"
    conda:
        "../../envs/compute.yaml"
    threads: 1
    resources:
        local=config["data"]["local"] or "",
        earlier=earlier_source(DIGITS_RECORD) or "",
    params:
        code=code_digest("nn_interpretability.data.digits"),
        available=look_up(config["data"]["local"], DIGITS_RECORD),
        download=config["data"]["download"],
        validation_share=config["data"]["validation_share"],
        limits={limit: config["data"][limit] for limit in ("train_limit", "test_limit")},
        seed=derive_seed(config["seed"], "prepare_digits"),
    script:
        "../../scripts/prepare_digits.py"


rule select_probes:
    input:
        digits=rules.prepare_digits.output.digits,
    output:
        probe="<results>/probes/{probe}.h5",
    log:
        "<logs>/select_probes/{probe}.log",
    benchmark:
        "<benchmarks>/select_probes/{probe}.tsv"
    wildcard_constraints:
        probe="|".join(DIGITS) or "none",
    conda:
        "../../envs/compute.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.data.probes"),
        settings=lambda wildcards: config["probes"][wildcards.probe],
    script:
        "../../scripts/select_probes.py"


rule select_pictures:
    input:
        pictures=lambda wildcards: pictures_of(wildcards.probe),
        classes=lambda wildcards: class_names_of(wildcards.probe),
    output:
        probe="<results>/probes/{probe}.h5",
    log:
        "<logs>/select_pictures/{probe}.log",
    benchmark:
        "<benchmarks>/select_pictures/{probe}.tsv"
    wildcard_constraints:
        probe="|".join(FOLDERS) or "none",
    conda:
        "../../envs/compute.yaml"
    threads: 1
    resources:
        local=config["data"]["local"] or "",
    params:
        code=code_digest("nn_interpretability.data.folder"),
        settings=lambda wildcards: {
            key: value for key, value in config["probes"][wildcards.probe].items() if key != "kind"
        },
    script:
        "../../scripts/select_pictures.py"
