"""Measure the maps of one attribution: rows of the table, and numbers for the text."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.measurements import measure_attribution
    from nn_interpretability.study.numbers import numbers_of_attribution

    maps, name = snakemake.input.attribution, snakemake.wildcards.attribution
    measure_attribution(
        maps, snakemake.output.metrics, name=name, model=snakemake.params.model, seed=snakemake.params.seed
    )
    numbers_of_attribution(maps, snakemake.output.numbers, name=name)
