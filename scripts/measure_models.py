"""Put the quality of the networks, from their cards, into the table and among the numbers for the text."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.measurements import measure_models
    from nn_interpretability.study.numbers import numbers_of_models

    cards = dict(zip(snakemake.params.models, snakemake.input.cards, strict=True))
    measure_models(cards, snakemake.output.metrics)
    numbers_of_models(cards, snakemake.output.numbers, keys=snakemake.params.declared)
