"""Turn the results into what LaTeX includes: numbers and tables."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from pathlib import Path

    from nn_interpretability.reporting.tables import write_tables
    from nn_interpretability.reporting.tex import write_numbers

    write_numbers(snakemake.input.numbers, snakemake.output.numbers)
    write_tables(
        Path(snakemake.output.tables[0]).parent,
        numbers=snakemake.input.numbers,
        cards=dict(zip(snakemake.params.models, snakemake.input.cards, strict=True)),
        figures=dict(zip(snakemake.params.figures, snakemake.input.sidecars, strict=True)),
        timings=snakemake.input.timings,
        claims=snakemake.input.claims or None,
        verdicts=next(iter(snakemake.input.verdicts), None),
    )
