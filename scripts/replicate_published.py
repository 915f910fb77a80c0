"""Put every number that the study printed beside what its networks and those of this run give, with a verdict."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.replication import compare

    compare(
        dict(zip(snakemake.params.jobs, snakemake.input.reproduced, strict=True)),
        dict(zip(snakemake.params.entries, snakemake.input.products, strict=True)),
        list(snakemake.input.numbers),
        snakemake.output.verdicts,
        snakemake.output.numbers,
        settings=snakemake.params.settings,
        keys=snakemake.params.declared,
        provenance=this.provenance(),
    )
