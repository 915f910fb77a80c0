"""Measure the maps of all attributions with one method: rows of the table, and numbers for the text."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.measurements import measure_method
    from nn_interpretability.study.numbers import numbers_of_method

    maps = dict(zip(snakemake.params.attributions, snakemake.input.attributions, strict=True))
    models, seeds = snakemake.params.models, snakemake.params.seeds
    measure_method(maps, snakemake.output.metrics, models=models, seeds=seeds)
    numbers_of_method(maps, snakemake.output.numbers)
