"""Merge the chunks of explanations of one model's passes, and collect the numbers that the report states of them."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.merge_passes import merge, write_numbers

    given = snakemake.input
    outputs = zip(snakemake.output.merged, snakemake.output.numbers, strict=True)
    for (name, entry), (merged, numbers) in zip(snakemake.params.entries.items(), outputs, strict=True):
        probe, drawn, sums = given[f"probe_{name}"], given[f"drawn_{name}"], given[f"sums_{name}"]
        result = merge(probe, drawn, sums, merged, **entry, provenance=this.provenance([probe, *drawn, *sums]))
        write_numbers(result, numbers, name=name, keys=snakemake.params.declared[name])
