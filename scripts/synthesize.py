"""Search for images that maximise each class, one file for each setting."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.syntheses import synthesize

    judge = snakemake.params.judge_architecture
    synthesize(
        snakemake.input.weights,
        snakemake.input.pictures,
        dict(zip(snakemake.params.generative, snakemake.input.generative, strict=True)),
        dict(zip(snakemake.params.entries, snakemake.output.syntheses, strict=True)),
        entries=snakemake.params.entries,
        architecture=snakemake.params.architecture,
        means_probe=snakemake.input.get("means"),
        judge=judge and (judge, snakemake.input.judge),
        seed=snakemake.params.seed,
        device=this.device,
        provenance=this.provenance(),
        progress=this.progress,
    )
