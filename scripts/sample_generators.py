"""Draw samples of the generative models, and let a classifier judge them."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.samples import sample_generative_models

    names = snakemake.params.generators
    sample_generative_models(
        snakemake.input.digits,
        snakemake.input.judge,
        dict(zip(names, snakemake.input.weights, strict=True)),
        dict(zip(names, snakemake.output.samples, strict=True)),
        snakemake.output.metrics,
        snakemake.output.numbers,
        architecture=snakemake.params.architecture,
        **snakemake.params.settings,
        seeds=snakemake.params.seeds,
        device=this.device,
        provenance=this.provenance(),
        keys=snakemake.params.declared,
        progress=lambda done, total: this.progress(done, total, "models"),
    )
