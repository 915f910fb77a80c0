"""Draw the figures of a section, each from its data file."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.plotting.figures import draw

    products = (snakemake.input.data, snakemake.output.pdf, snakemake.output.png, snakemake.output.sidecar)
    for data, pdf, png, sidecar in zip(*products, strict=True):
        draw(data, pdf, png, sidecar, provenance=this.provenance([data]))
