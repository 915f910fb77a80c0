"""Look at the strongest activation maps and the filters of a network."""

from nn_interpretability.progress import job

with job(snakemake) as this:
    from nn_interpretability.study.activation_views import view_activations

    view_activations(
        snakemake.input.weights,
        snakemake.input.probe,
        snakemake.output.views,
        architecture=snakemake.params.architecture,
        **snakemake.params.settings,
        device=this.device,
        provenance=this.provenance(),
    )
