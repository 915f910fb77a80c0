"""Decide what the study asserts, all claims together."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.claims.history import first_commits
    from nn_interpretability.claims.ledger import decide_claims

    decide_claims(
        dict(zip(snakemake.params.claims, snakemake.input.measured, strict=True)),
        snakemake.output.ledger,
        snakemake.output.numbers,
        first_commits=first_commits(snakemake.params.claims.values()),
        keys=snakemake.params.declared,
        provenance=this.provenance(),
    )
