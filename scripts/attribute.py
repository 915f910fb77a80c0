"""Explain the pictures of a probe with one method."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.attribute import attribute

    settings = dict(snakemake.params.settings)
    attribute(
        snakemake.input.weights,
        snakemake.input.probe,
        snakemake.output.attribution,
        architecture=snakemake.params.architecture,
        method=settings["method"],
        parameters=settings.pop("parameters"),
        target=settings.pop("target"),
        description={"name": snakemake.wildcards.attribution, **settings},
        device=this.device,
        provenance=this.provenance(),
    )
