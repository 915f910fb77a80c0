"""Train one network, and write its card from the test pictures."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.training.loop import train_classifier

    train_classifier(
        snakemake.input.digits,
        snakemake.output.weights,
        snakemake.output.card,
        snakemake.output.history,
        **snakemake.params.settings,
        seed=snakemake.params.seed,
        device=this.device,
        provenance=this.provenance(),
        progress=lambda done, total: this.progress(done, total, "steps"),
    )
