"""Collect exactly the arrays that a figure shows, and the numbers of its caption."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.figures import assemble
    from nn_interpretability.study.numbers import numbers_of_figure

    assemble(
        snakemake.wildcards.figure,
        dict(zip(snakemake.params.attributions, snakemake.input.attributions, strict=True)),
        snakemake.output.data,
        definition=snakemake.params.definition,
        provenance=this.provenance(),
    )
    numbers_of_figure(snakemake.output.data, snakemake.output.numbers)
