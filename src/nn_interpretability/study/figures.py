"""From attribution files to figure data files: what each figure of the report shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nn_interpretability.errors import ConfigError
from nn_interpretability.plotting.curves_data import write_curves
from nn_interpretability.plotting.data import write_panel_group
from nn_interpretability.plotting.gallery_data import write_gallery
from nn_interpretability.plotting.scatter_data import write_scatter
from nn_interpretability.plotting.strip_data import write_strip
from nn_interpretability.plotting.toys_data import write_toy_curves
from nn_interpretability.plotting.uncertainty_data import write_curve, write_reliability
from nn_interpretability.storage.hdf5 import Product, read_hdf5
from nn_interpretability.study.differences import difference_group
from nn_interpretability.study.fluctuation import gradient_path
from nn_interpretability.study.galleries import (
    activation_views,
    dreams_of_channels,
    dreams_of_layers,
    dreams_without,
)
from nn_interpretability.study.maps import overlay_group, panel_group
from nn_interpretability.study.occlusions import occlusion_strip, worst_occlusions
from nn_interpretability.study.pass_figures import dropout_maps, pass_scatter, passes_by_class, uncertainty_maps
from nn_interpretability.study.reconstructions import filter_group, reconstruction_group
from nn_interpretability.study.sample_gallery import sample_gallery
from nn_interpretability.study.synthesis_gallery import synthesis_gallery
from nn_interpretability.study.toy_figures import toy_curves
from nn_interpretability.study.uncertainty_figures import (
    before_and_after,
    evidence_curve,
    reliability_diagrams,
    turned_maps,
)


def sources(definition: Mapping[str, Any]) -> list[str]:
    """Names of what a figure shows, in the order of its definition, each once."""
    return list(dict.fromkeys([*definition["panels"], *definition.get("published", [])]))


def assemble(
    figure: str,
    attributions: Mapping[str, Path | str],
    output: Path | str,
    *,
    definition: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> None:
    """Write the data file of a figure.

    Parameters
    ----------
    figure
        Name of the figure, such as ``fig12``.
    attributions
        File of each product that the definition names: attributions (schema ``attribution/1``), unless the kind is
        about something else.
    output
        The figure data file.
    definition
        The figure's entry in the configuration: ``panels``, names of attributions from left to right in the
        original, optionally ``published``, the same with the settings of the study, and ``kind``, what is made of
        them: ``maps`` (signed maps of the same pictures; the default), ``overlay`` (positive maps over the pictures;
        each row may explain another model), ``overlay_by_row`` (the same, each row on a scale of its own),
        ``reconstructions`` (each row on a scale of its own, each block with its own pictures) ``filters`` (one map
        per filter of a layer, for the first picture), ``occlusion`` (the first panel explains a picture under each
        position of a window, the others are occlusion maps of that picture), ``worst_occlusions`` (maps of that
        picture, and of the three covered ones with the lowest probability of its class), ``difference`` (as ``maps``,
        and below the first two panels what the second has more than the first, on a scale of its own),
        ``gradient_path`` (curves of how gradients change from the first picture of a panel to its last),
        ``turned_maps`` (maps of several models for one picture at several angles, each row on a scale of its own),
        ``evidence_curve``, ``reliability`` or ``before_and_after`` (of products other than attributions),
        ``dreams_of_layers``, ``dreams_of_channels`` (a photograph and its dreams), ``dreams_without`` (each technique
        of DeepDream left out), ``activation_views`` (filters and activation maps), ``samples`` (of generative models,
        by class), ``syntheses`` (images that maximise a class),
        ``pass_scatter``, ``passes_by_class`` (of the pictures at ``angles``, if given), ``uncertainty_maps`` or
        ``dropout_maps`` (of merged passes; see :mod:`nn_interpretability.study.pass_figures`), ``toys`` (curves of what
        methods say of small networks).
    provenance
        What makes the file, from :func:`nn_interpretability.storage.provenance.provenance`.

    Raises
    ------
    ConfigError
        If the definition names an attribution without file, or attributions that do not belong together (another
        probe, other pictures, another quantity on one colour scale).
    BrokenProductError
        If an attribution file is damaged.
    """
    named = sources(definition)
    missing = sorted(set(named) - set(attributions))
    if missing:
        raise ConfigError(f"{figure} shows {', '.join(missing)}, but no such attribution was computed.")
    kind = definition.get("kind", "maps")
    schema = _SCHEMAS.get(kind, "attribution/1")
    products = {name: read_hdf5(attributions[name], schema=schema) for name in named}
    build, write = _KINDS[kind]
    origins = {name: product.provenance for name, product in products.items()}
    write(Path(output), build(figure, products, definition), provenance={**provenance, "attributions": origins})


_Kind = tuple[Callable[[str, Mapping[str, Product], Mapping[str, Any]], Any], Callable[..., None]]
_KINDS: Mapping[str, _Kind] = {
    "maps": (panel_group, write_panel_group),
    "overlay": (overlay_group, write_panel_group),
    "overlay_by_row": (overlay_group, write_panel_group),
    "reconstructions": (reconstruction_group, write_panel_group),
    "filters": (filter_group, write_panel_group),
    "occlusion": (occlusion_strip, write_strip),
    "worst_occlusions": (worst_occlusions, write_panel_group),
    "difference": (difference_group, write_panel_group),
    "gradient_path": (gradient_path, write_curves),
    "turned_maps": (turned_maps, write_panel_group),
    "evidence_curve": (evidence_curve, write_curve),
    "reliability": (reliability_diagrams, write_reliability),
    "before_and_after": (before_and_after, write_panel_group),
    "dreams_of_layers": (dreams_of_layers, write_gallery),
    "dreams_of_channels": (dreams_of_channels, write_gallery),
    "dreams_without": (dreams_without, write_gallery),
    "activation_views": (activation_views, write_gallery),
    "samples": (sample_gallery, write_gallery),
    "syntheses": (synthesis_gallery, write_gallery),
    "pass_scatter": (pass_scatter, write_scatter),
    "passes_by_class": (passes_by_class, write_panel_group),
    "uncertainty_maps": (uncertainty_maps, write_panel_group),
    "dropout_maps": (dropout_maps, write_panel_group),
    "toys": (toy_curves, write_toy_curves),
}

_SCHEMAS: Mapping[str, str | None] = {
    "dreams_of_layers": "dreams/1",
    "dreams_of_channels": "dreams/1",
    "dreams_without": "leave_one_out/1",
    "activation_views": "activation_views/1",
    "samples": "samples/1",
    "evidence_curve": "evidence/1",
    "reliability": "calibration/1",
    "before_and_after": "calibration/1",
    "syntheses": "synthesis/1",
    "pass_scatter": "pass_attribution/1",
    "passes_by_class": "pass_attribution/1",
    "uncertainty_maps": "pass_attribution/1",
    "dropout_maps": None,
    "toys": "toys/1",
}
"""What a kind of figure shows, if not attributions; None for several."""
