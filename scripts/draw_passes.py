"""Draw a chunk of passes, once for each of some settings: scores with dropout on, with noise, or both."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.draw_passes import draw

    weights, entries = snakemake.input.weights, snakemake.params.entries
    files = zip(snakemake.input.probes, snakemake.output.passes, strict=True)
    for entry, (probe, output) in zip(entries.values(), files, strict=True):
        draw(
            weights,
            probe,
            output,
            architecture=snakemake.params.architecture,
            **entry,
            begin=snakemake.params.begin,
            end=snakemake.params.end,
            device=this.device,
            provenance=this.provenance([weights, probe]),
        )
