# Measurements: each job writes its part of the one table, and of the numbers that the report states.


localrules:
    collect_metrics,


rule measure_method:
    input:
        attributions=lambda wildcards: expand(ATTRIBUTION, attribution=METHODS[wildcards.method]),
    output:
        metrics="<results>/metrics/methods/{method}.csv",
        numbers="<results>/numbers/methods/{method}.json",
    log:
        "<logs>/measure_method/{method}.log",
    benchmark:
        "<benchmarks>/measure_method/{method}.tsv"
    conda:
        "../../envs/draw.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.study.measurements", "nn_interpretability.study.numbers"),
        attributions=lambda wildcards: METHODS[wildcards.method],
        models=lambda wildcards: models_of(METHODS[wildcards.method]),
        seeds=lambda wildcards: {
            name: model_seed(name) for name in sorted(set(models_of(METHODS[wildcards.method])))
        },
    script:
        "../../scripts/measure_method.py"


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
            *expand(rules.measure_method.output.metrics, method=METHODS),
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
