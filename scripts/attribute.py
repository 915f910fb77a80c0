"""Explain the pictures of probes with one method, once for each of some settings."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.attribute import attribute

    weights, entries = snakemake.input.weights, snakemake.params.entries
    files = zip(snakemake.input.probes, snakemake.output.attributions, strict=True)
    for done, ((name, entry), (probe, output)) in enumerate(zip(entries.items(), files, strict=True)):
        this.progress(done, len(entries), "attributions")
        settings = dict(entry)
        attribute(
            weights,
            probe,
            output,
            architecture=snakemake.params.architecture,
            method=settings["method"],
            parameters=settings.pop("parameters"),
            target=settings.pop("target"),
            description={"name": name, **settings},
            device=this.device,
            provenance=this.provenance([weights, probe]),
        )
