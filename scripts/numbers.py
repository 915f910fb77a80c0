"""Put all numbers that the text states into one file."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study import numbers

    keys = snakemake.params.declared
    numbers.numbers_of_run(snakemake.output.run, provenance=this.provenance(), keys=keys["run"])
    numbers.numbers_of_data(snakemake.input.get("record"), snakemake.output.data, keys=keys["data"])
    parts = [snakemake.output.run, snakemake.output.data, *snakemake.input.parts]
    numbers.merge_numbers(parts, snakemake.output.merged)
