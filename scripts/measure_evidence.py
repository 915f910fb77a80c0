"""Ask networks how sure they are: on a digit that turns, on their errors, on foreign pictures."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.evidence import Network, measure_evidence

    described = zip(snakemake.params.networks.items(), snakemake.input.weights, strict=True)
    measure_evidence(
        snakemake.input.digits,
        snakemake.input.probe,
        {name: Network(weights, **entry) for (name, entry), weights in described},
        snakemake.output.evidence,
        snakemake.output.numbers,
        snakemake.output.metrics,
        name=snakemake.wildcards.evidence,
        **snakemake.params.counts,
        seed=snakemake.params.seed,
        provenance=this.provenance(),
        keys=snakemake.params.declared,
    )
