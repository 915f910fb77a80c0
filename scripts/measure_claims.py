"""Measure the claims of one group, on all their networks."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.claims.context import Budget, Trained
    from nn_interpretability.claims.measure import measure_claims

    weights = iter(snakemake.input.weights)
    measure_claims(
        snakemake.input.digits,
        dict(zip(snakemake.params.rules, snakemake.output.measured, strict=True)),
        networks={
            name: Trained(entry["architecture"], [next(weights) for _ in range(entry["seeds"])])
            for name, entry in snakemake.params.networks.items()
        },
        generative=dict(zip(snakemake.params.generators, snakemake.input.generators, strict=True)),
        budget=Budget(**snakemake.params.budget),
        seed=snakemake.params.seed,
        device=this.device,
        local=snakemake.resources.local or None,
        provenance=this.provenance(),
        progress=lambda done, total: this.progress(done, total, "claims"),
    )
