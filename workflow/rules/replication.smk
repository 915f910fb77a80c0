# Every number that the study printed (reference/published.yaml), from its own networks and from those of this run.

# What each job reads of the section `replication` of the configuration.
PUBLISHED_SETTING = {"networks": "pictures", "passes": "passes", "searches": "seeds"}


if config["replication"]:

    localrules:
        replicate_published,

    rule reproduce_published:
        input:
            digits=rules.prepare_digits.output.digits,
        output:
            measured="<results>/replication/{published}.json",
        log:
            "<logs>/reproduce_published/{published}.log",
        benchmark:
            "<benchmarks>/reproduce_published/{published}.tsv"
        conda:
            "../../envs/compute.yaml"
        threads: 1
        resources:
            **GPU,
            local=config["data"]["local"] or "",
        params:
            code=code_digest(
                "nn_interpretability.study.reproduce",
                *map(architecture_module, ["small_cnn", "dropout_cnn"]),
            ),
            settings=lambda wildcards: {
                PUBLISHED_SETTING[wildcards.published]: config["replication"][
                    PUBLISHED_SETTING[wildcards.published]
                ],
                "seed": derive_seed(config["seed"], "reproduce_published"),
            },
            # Weights that turn up later are a reason to run again, and so is another list of numbers.
            available=lambda wildcards: kept(
                FROM_DATA_FOLDER["reproduce_published"](wildcards),
                with_weights(f"{config['results']}/replication/{wildcards.published}.json"),
                "the study's weights",
            ),
            published=digest_of(PUBLISHED),
        script:
            "../../scripts/reproduce_published.py"

    rule replicate_published:
        input:
            reproduced=expand(rules.reproduce_published.output.measured, published=PUBLISHED_JOBS),
            products=[file_of(config, name) for name in entries_of(config)],
            numbers=[
                rules.measure_models.output.numbers,
                *expand(rules.calibrate.output.numbers, calibration=config["calibrations"]),
            ],
        output:
            verdicts=REPLICATED[0],
            numbers=REPLICATED[1],
        log:
            "<logs>/replicate_published.log",
        benchmark:
            "<benchmarks>/replicate_published.tsv"
        conda:
            "../../envs/draw.yaml"
        threads: 1
        params:
            code=code_digest("nn_interpretability.study.replication"),
            jobs=list(PUBLISHED_JOBS),
            entries=entries_of(config),
            settings=config["replication"],
            declared=NUMBERS["replication"],
            published=digest_of(PUBLISHED),
        script:
            "../../scripts/replicate_published.py"


rule replication:
    input:
        REPLICATED,
