# Figures: first a file with exactly the arrays that are drawn, then the drawing.


rule figure_data:
    input:
        attributions=lambda wildcards: expand(
            rules.attribute.output.attribution, attribution=attributions_of(wildcards)
        ),
    output:
        data="<results>/figures/data/{figure}.h5",
        numbers="<results>/numbers/figures/{figure}.json",
    log:
        "<logs>/figure_data/{figure}.log",
    benchmark:
        "<benchmarks>/figure_data/{figure}.tsv"
    conda:
        "../../envs/draw.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.study.figures", "nn_interpretability.study.numbers"),
        attributions=attributions_of,
        definition=lambda wildcards: config["figures"][wildcards.figure],
    script:
        "../../scripts/figure_data.py"


rule draw_figure:
    input:
        data=rules.figure_data.output.data,
    output:
        pdf="<results>/figures/{figure}.pdf",
        png=report(
            "<results>/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        sidecar="<results>/figures/{figure}.json",
    log:
        "<logs>/draw_figure/{figure}.log",
    benchmark:
        "<benchmarks>/draw_figure/{figure}.tsv"
    conda:
        "../../envs/draw.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.plotting.figures"),
    script:
        "../../scripts/draw_figure.py"


rule figures:
    input:
        expand(rules.draw_figure.output, figure=config["figures"]),
