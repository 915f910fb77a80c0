"""Import a network of the user's own, and try it on pictures."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.import_model import import_model

    import_model(
        snakemake.input.probe,
        snakemake.output.weights,
        snakemake.output.card,
        architecture=snakemake.params.architecture,
        source=snakemake.params.weights,
        local=snakemake.resources.local or None,
        device=this.device,
        provenance=this.provenance(),
    )
