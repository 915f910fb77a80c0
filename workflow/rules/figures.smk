# Figures, a job per section of the report: first files with exactly the arrays that are drawn, then the drawings. On a
# cluster both are one job there (a group): to queue a job costs more than to draw.


for section, names in SECTIONS.items():

    rule:
        name:
            f"figure_data_{section}"
        input:
            sources=[file_of(config, name) for name in sources_of(names)],
        output:
            data=expand(FIGURE_DATA, figure=names),
            numbers=expand(FIGURE_NUMBERS, figure=names),
        log:
            f"<logs>/figure_data/{section}.log",
        benchmark:
            f"<benchmarks>/figure_data/{section}.tsv"
        group:
            f"figures_{section}"
        conda:
            "../../envs/draw.yaml"
        threads: 1
        params:
            code=code_digest("nn_interpretability.study.figures", "nn_interpretability.study.numbers"),
            declared={name: NUMBERS[f"figures/{name}"] for name in names},
            sources=sources_of(names),
            definitions={name: config["figures"][name] for name in names},
        script:
            "../../scripts/figure_data.py"

    rule:
        name:
            f"draw_figure_{section}"
        input:
            data=expand(FIGURE_DATA, figure=names),
        output:
            pdf=expand(FIGURE, figure=names, kind="pdf"),
            png=[
                report(
                    FIGURE.format(figure=name, kind="png"),
                    caption="../report/figure.rst",
                    category=f"Figures, {section.replace('_', ' ')}",
                    labels={"figure": figure_title(name), **labels_of(config, name)},
                )
                for name in names
            ],
            sidecar=expand(FIGURE, figure=names, kind="json"),
        log:
            f"<logs>/draw_figure/{section}.log",
        benchmark:
            f"<benchmarks>/draw_figure/{section}.tsv"
        group:
            f"figures_{section}"
        conda:
            "../../envs/draw.yaml"
        threads: 1
        params:
            code=code_digest("nn_interpretability.plotting.figures"),
            style=style_settings(),
        script:
            "../../scripts/draw_figure.py"


rule figures:
    input:
        expand(FIGURE, figure=config["figures"], kind=["pdf", "png", "json"]),
