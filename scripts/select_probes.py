"""Choose the pictures to explain, once for all methods."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from functools import partial

    from nn_interpretability.data import probes

    noise_path = partial(probes.select_noise_path, seed=snakemake.params.seed)
    select = {
        "first_of_class": probes.select_first_of_class,
        "class_means": probes.select_class_means,
        "occlusions": probes.select_occlusions,
        "noise_path": noise_path,
        "noise_path_published": partial(noise_path, mean=0.01, deviation=0.001),
    }[snakemake.params.kind]
    select(snakemake.input.digits, snakemake.output.probe, this.provenance())
