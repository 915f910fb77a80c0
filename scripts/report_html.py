"""Let Snakemake build its HTML report of what this run has made."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from pathlib import Path

    from nn_interpretability.reporting.html import build

    snakefile = Path(snakemake.scriptdir).parent / "Snakefile"
    build(snakefile, snakemake.output.zip, config=snakemake.params.config, targets=snakemake.params.targets)
