# Networks of a few units, whose explanations can be worked out by hand: every method's answer beside the right one.


rule toys:
    output:
        toys="<results>/toys/{toys}.h5",
        numbers="<results>/numbers/toys/{toys}.json",
    log:
        "<logs>/toys/{toys}.log",
    benchmark:
        "<benchmarks>/toys/{toys}.tsv"
    conda:
        "../../envs/compute.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.study.toys"),
        declared=lambda wildcards: NUMBERS[f"toys/{wildcards.toys}"],
        settings=lambda wildcards: config["toys"][wildcards.toys],
    script:
        "../../scripts/toys.py"
