"""Compute numbers that the study printed with its own networks, if they are there."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.reproduce import Settings, reproduce

    reproduce(
        snakemake.input.digits,
        snakemake.output.measured,
        job=snakemake.wildcards.published,
        local=snakemake.resources.local or None,
        required=snakemake.params.available,
        settings=Settings(**snakemake.params.settings),
        device=this.device,
        provenance=this.provenance(),
        progress=this.progress,
    )
