"""Explain a chunk of passes with one method, once for each of some settings."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.attribute_chunk import attribute_chunk

    weights, entries = snakemake.input.weights, snakemake.params.entries
    for done, ((name, entry), output) in enumerate(zip(entries.items(), snakemake.output.sums, strict=True)):
        this.progress(done, len(entries), "explanations")
        probe, drawn = snakemake.input[f"probe_{name}"], snakemake.input[f"drawn_{name}"]
        attribute_chunk(
            weights,
            probe,
            drawn,
            output,
            architecture=snakemake.params.architecture,
            **entry,
            begin=snakemake.params.begin,
            device=this.device,
            provenance=this.provenance([weights, probe, *drawn]),
        )
