# Measurements: each job writes its part of the one table, and of the numbers that the report states.


localrules:
    collect_metrics,


rule measure_attribution:
    input:
        attribution=rules.attribute.output.attribution,
    output:
        metrics="<results>/metrics/attributions/{attribution}.csv",
        numbers="<results>/numbers/attributions/{attribution}.json",
    log:
        "<logs>/measure_attribution/{attribution}.log",
    benchmark:
        "<benchmarks>/measure_attribution/{attribution}.tsv"
    conda:
        "../../envs/draw.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.study.measurements", "nn_interpretability.study.numbers"),
        model=lambda wildcards: attribution(wildcards)["model"],
        seed=lambda wildcards: model_seed(attribution(wildcards)["model"]),
    script:
        "../../scripts/measure_attribution.py"


rule measure_model:
    input:
        card=rules.train_model.output.card,
    output:
        metrics="<results>/metrics/models/{model}.csv",
        numbers="<results>/numbers/models/{model}.json",
    log:
        "<logs>/measure_model/{model}.log",
    benchmark:
        "<benchmarks>/measure_model/{model}.tsv"
    conda:
        "../../envs/draw.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.study.measurements", "nn_interpretability.study.numbers"),
    script:
        "../../scripts/measure_model.py"


rule collect_metrics:
    input:
        parts=[
            *expand(rules.measure_model.output.metrics, model=config["models"]),
            *expand(rules.measure_attribution.output.metrics, attribution=config["attributions"]),
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
