"""Put all parts of the table of measurements below each other."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.measurements import collect

    collect(snakemake.input.parts, snakemake.output.table)
