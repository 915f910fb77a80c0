"""Typeset the report."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from pathlib import Path

    from nn_interpretability.reporting.pdf import build

    given = snakemake.input
    inputs = {"numbers.tex": given.numbers}
    inputs |= {f"tables/{Path(table).name}": table for table in given.tables}
    inputs |= {f"figures/{Path(figure).name}": figure for figure in given.figures}
    main = next(path for path in map(Path, given.sources) if path.name == "main.tex")
    build(
        main.parent,
        snakemake.output.pdf,
        inputs=inputs,
        left_out=snakemake.params.left_out,
        own_figures=snakemake.params.own_figures,
        log=snakemake.log.latex,
        # No log of the rule, because Snakemake removes those before a job begins.
        kept=Path(snakemake.log.latex).with_name("report_pdf.auxiliary.json"),
    )
