"""Choose the pictures to explain, once for all methods."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.data import probes

    probes.select(
        digits_h5=snakemake.input.digits,
        output=snakemake.output.probe,
        provenance=this.provenance(),
        **snakemake.params.settings,
    )
