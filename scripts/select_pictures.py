"""Choose the pictures of a folder to explain, once for all methods."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.data import folder

    folder.select(
        output=snakemake.output.probe,
        local=snakemake.resources.local or None,
        provenance=this.provenance(),
        **snakemake.params.settings,
    )
