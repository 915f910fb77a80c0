"""Calibrate networks on validation pictures, judge them on test pictures, explain one before and after."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.data.imagenet import look_up
    from nn_interpretability.study.calibrate import calibrate

    settings, architectures = snakemake.params.photographs, snakemake.params.architectures
    calibrate(
        snakemake.input.digits,
        snakemake.input.probe,
        dict(zip(architectures, zip(snakemake.input.weights, architectures.values(), strict=True), strict=True)),
        snakemake.output.calibration,
        snakemake.output.numbers,
        snakemake.output.metrics,
        name=snakemake.wildcards.calibration,
        bins=snakemake.params.bins,
        found=look_up(snakemake.resources.local, settings["weights"], settings["pictures"]),
        photograph_settings=settings,
        required=snakemake.params.available,
        provenance=this.provenance(),
        keys=snakemake.params.declared,
    )
