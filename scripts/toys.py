"""Explain networks whose right answer is known, and do the lecture's backward passes."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.toys import run_toys

    run_toys(
        snakemake.output.toys,
        snakemake.output.numbers,
        name=snakemake.wildcards.toys,
        **snakemake.params.settings,
        provenance=this.provenance(),
        keys=snakemake.params.declared,
    )
