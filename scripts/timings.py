"""Collect what each job took: the one file with clock readings."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from pathlib import Path

    from nn_interpretability.storage.manifest import collect_timings

    files = {name: Path(path) for name, path in snakemake.params.benchmarks.items()}
    collect_timings(files, snakemake.output.timings)
