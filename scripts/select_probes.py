"""Choose the pictures to explain, once for all methods."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.data import probes

    select = {
        "first_of_class": probes.select_first_of_class,
        "class_means": probes.select_class_means,
        "occlusions": probes.select_occlusions,
        "noise_path": probes.select_noise_path,
        "noise_path_published": probes.select_published_noise_path,
    }[snakemake.params.kind]
    select(snakemake.input.digits, snakemake.output.probe, this.provenance())
