"""Get the digits, MNIST or its stand-in, split them, and record where they come from."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.data.digits import prepare

    prepare(
        snakemake.output.digits,
        snakemake.output.record,
        local=snakemake.resources.local or None,
        download=snakemake.params.download,
        validation_share=snakemake.params.validation_share,
        seed=snakemake.params.seed,
        limits=snakemake.params.limits,
        at_least=snakemake.resources.earlier or None,
        provenance=this.provenance(),
    )
