"""Get the photograph of the DeepDream figures, and a network to dream with."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.dream_inputs import prepare

    architectures = dict(snakemake.params.trained)
    trained = zip(architectures.values(), snakemake.input.weights, strict=True)
    prepare(
        snakemake.output.photograph,
        snakemake.output.weights,
        snakemake.output.record,
        local=snakemake.resources.local or None,
        download=snakemake.params.download,
        models=snakemake.params.models,
        trained=dict(zip(architectures, trained, strict=True)),
        normalisations=snakemake.params.normalisations,
        provenance=this.provenance(),
    )
