"""Collect exactly the arrays that the figures of a section show, and the numbers of their captions."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.figures import assemble, sources
    from nn_interpretability.study.numbers import numbers_of_figure

    files = dict(zip(snakemake.params.sources, snakemake.input.sources, strict=True))
    outputs = zip(snakemake.output.data, snakemake.output.numbers, strict=True)
    for (figure, definition), (data, numbers) in zip(snakemake.params.definitions.items(), outputs, strict=True):
        shown = {name: files[name] for name in sources(definition)}
        assemble(figure, shown, data, definition=definition, provenance=this.provenance(shown.values()))
        numbers_of_figure(data, numbers, keys=snakemake.params.declared[figure])
