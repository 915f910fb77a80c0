"""Search for images that maximise each class, one file for each setting."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.syntheses import synthesize

    synthesize(
        snakemake.input.weights,
        snakemake.input.judge,
        snakemake.input.first,
        snakemake.input.means,
        dict(zip(snakemake.params.generative, snakemake.input.generative, strict=True)),
        dict(zip(snakemake.params.entries, snakemake.output.syntheses, strict=True)),
        entries=snakemake.params.entries,
        architecture=snakemake.params.architecture,
        judge_architecture=snakemake.params.judge_architecture,
        seed=snakemake.params.seed,
        device=this.device,
        provenance=this.provenance(),
        progress=this.progress,
    )
