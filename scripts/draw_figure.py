"""Draw one figure from its data file."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.plotting.figures import draw

    draw(
        snakemake.input.data,
        snakemake.output.pdf,
        snakemake.output.png,
        snakemake.output.sidecar,
        provenance=this.provenance(),
    )
