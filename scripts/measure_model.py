"""Put the quality of one network, from its card, into the table and among the numbers for the text."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.measurements import measure_model
    from nn_interpretability.study.numbers import numbers_of_model

    measure_model(snakemake.input.card, snakemake.output.metrics, name=snakemake.wildcards.model)
    numbers_of_model(snakemake.input.card, snakemake.output.numbers, name=snakemake.wildcards.model)
