"""Measure the maps of all attributions: rows of the table, and numbers for the text."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.measurements import measure_attributions
    from nn_interpretability.study.numbers import numbers_of_attributions

    models = snakemake.params.models
    maps = dict(zip(models, snakemake.input.attributions, strict=True))
    measure_attributions(maps, snakemake.output.metrics, models=models, seeds=snakemake.params.seeds)
    numbers_of_attributions(maps, snakemake.output.numbers, keys=snakemake.params.declared)
