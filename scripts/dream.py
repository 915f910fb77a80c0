"""Dream over the photograph: of layers and channels, or with each technique left out."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.dreams import dream
    from nn_interpretability.study.leave_one_out import leave_one_out

    {"views": dream, "leave_one_out": leave_one_out}[snakemake.params.settings["kind"]](
        snakemake.input.photograph,
        snakemake.input.weights,
        snakemake.output.dream,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        device=this.device,
        provenance=this.provenance(),
        progress=lambda done, total: this.progress(done, total, "steps"),
    )
