"""List the bytes of everything that this run has made; what holds clock readings is left out."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from pathlib import Path

    from nn_interpretability.storage.manifest import write_manifest

    write_manifest(Path(snakemake.output.manifest).parent, snakemake.output.manifest, snakemake.input)
