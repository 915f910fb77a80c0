"""Train one generative model of the digits."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.training.generative import train_generative_model

    train_generative_model(
        snakemake.input.digits,
        snakemake.output.weights,
        snakemake.output.card,
        snakemake.output.history,
        model=snakemake.wildcards.generator,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        device=this.device,
        provenance=this.provenance(),
        progress=lambda done, total: this.progress(done, total, "steps"),
    )
