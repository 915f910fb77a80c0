# Measurements: each job writes its part of the one table, and of the numbers that the report states.


localrules:
    collect_metrics,


rule measure_attributions:
    input:
        attributions=expand(ATTRIBUTION, attribution=config["attributions"]),
    output:
        metrics="<results>/metrics/attributions.csv",
        numbers="<results>/numbers/attributions.json",
    log:
        "<logs>/measure_attributions.log",
    benchmark:
        "<benchmarks>/measure_attributions.tsv"
    conda:
        "../../envs/draw.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.study.measurements", "nn_interpretability.study.numbers"),
        declared=NUMBERS["attributions"],
        models={name: entry["model"] for name, entry in config["attributions"].items()},
        seeds={name: model_seed(name) for name in TRAINED},
    script:
        "../../scripts/measure_attributions.py"


rule measure_models:
    input:
        cards=expand(rules.train_model.output.card, model=config["models"]),
    output:
        metrics="<results>/metrics/models.csv",
        numbers="<results>/numbers/models.json",
    log:
        "<logs>/measure_models.log",
    benchmark:
        "<benchmarks>/measure_models.tsv"
    conda:
        "../../envs/draw.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.study.measurements", "nn_interpretability.study.numbers"),
        declared=NUMBERS["models"],
        models=list(config["models"]),
    script:
        "../../scripts/measure_models.py"


rule collect_metrics:
    input:
        parts=[
            rules.measure_models.output.metrics,
            rules.measure_attributions.output.metrics,
            *GENERATOR_METRICS,
            *expand(rules.measure_evidence.output.metrics, evidence=config["evidence"]),
            *expand(rules.calibrate.output.metrics, calibration=config["calibrations"]),
        ],
    output:
        table=report("<results>/metrics.csv", caption="../report/metrics.rst", category="Measurements"),
    log:
        "<logs>/collect_metrics.log",
    benchmark:
        "<benchmarks>/collect_metrics.tsv"
    conda:
        "../../envs/draw.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.study.measurements"),
    script:
        "../../scripts/collect_metrics.py"


rule metrics:
    input:
        rules.collect_metrics.output,
