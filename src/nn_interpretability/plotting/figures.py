"""From a figure data file to PDF, PNG and a sidecar, the same bytes each time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nn_interpretability.plotting import curves_data
from nn_interpretability.plotting.curves import draw_curves
from nn_interpretability.plotting.curves_data import Curves, curves_of
from nn_interpretability.plotting.data import SCHEMA, PanelGroup, read_figure_data
from nn_interpretability.plotting.gallery import draw_gallery
from nn_interpretability.plotting.gallery_data import KIND as GALLERY
from nn_interpretability.plotting.gallery_data import Gallery, gallery_of
from nn_interpretability.plotting.panels import draw_panel_group
from nn_interpretability.plotting.scatter import draw_scatter
from nn_interpretability.plotting.scatter_data import KIND as SCATTER_KIND
from nn_interpretability.plotting.scatter_data import PassScatter, scatter_of
from nn_interpretability.plotting.sidecar import Content, sidecar
from nn_interpretability.plotting.strip import draw_strip
from nn_interpretability.plotting.strip_data import KIND, OcclusionStrip, strip_of
from nn_interpretability.plotting.style import PNG_DPI, figure_style
from nn_interpretability.plotting.toys import draw_toy_curves
from nn_interpretability.plotting.toys_data import KIND as TOYS_KIND
from nn_interpretability.plotting.toys_data import ToyCurves, toy_curves_of
from nn_interpretability.plotting.uncertainty import draw_curve, draw_reliability
from nn_interpretability.plotting.uncertainty_data import (
    CURVE_KIND,
    RELIABILITY_KIND,
    EvidenceCurve,
    ReliabilityDiagrams,
    curve_of,
    reliability_of,
)
from nn_interpretability.storage.hdf5 import Product, read_hdf5
from nn_interpretability.storage.product import write_json, writing


def draw(
    figure_data_h5: Path | str,
    pdf: Path | str,
    png: Path | str,
    sidecar_json: Path | str,
    *,
    provenance: Mapping[str, Any],
) -> None:
    """Draw a figure from its data file, and from nothing else.

    Parameters
    ----------
    figure_data_h5
        A file of schema ``figure/1``.
    pdf, png
        The figure at its size on paper: vectors with text, and 100 dots per centimetre.
    sidecar_json
        What the figure shows, every number in it, and what made it; see :mod:`nn_interpretability.plotting.sidecar`.
    provenance
        What makes the figure, from :func:`nn_interpretability.storage.provenance.provenance`.

    Raises
    ------
    BrokenProductError, DataError
        If the data file is damaged, or not a figure data file.
    """
    content = read_figure(Path(figure_data_h5))
    with figure_style():
        figure = drawn_figure(content)
        with writing(pdf) as temporary:
            save_pdf(figure, temporary, title=content.figure)
        with writing(png) as temporary:
            save_png(figure, temporary)
        write_json(sidecar_json, sidecar(content, provenance, figure))


def drawn_figure(content: Content) -> Figure:
    """Draw what a figure data file holds, by the function for its kind."""
    match content:
        case OcclusionStrip():
            return draw_strip(content)
        case Curves():
            return draw_curves(content)
        case Gallery():
            return draw_gallery(content)
        case EvidenceCurve():
            return draw_curve(content)
        case ReliabilityDiagrams():
            return draw_reliability(content)
        case PassScatter():
            return draw_scatter(content)
        case ToyCurves():
            return draw_toy_curves(content)
        case PanelGroup():
            return draw_panel_group(content)


def save_pdf(figure: Figure, path: Path, *, title: str = "") -> None:
    """Save as PDF without a clock reading."""
    with _quiet_font_subsetting():
        figure.savefig(path, format="pdf", metadata={"Title": title, "CreationDate": None})


def save_png(figure: Figure, path: Path) -> None:
    """Save as PNG without the name and version of the program."""
    figure.savefig(path, format="png", dpi=PNG_DPI, metadata={"Software": None})


def read_figure(path: Path) -> Content:
    """The contents of a figure data file, of whatever kind.

    Raises
    ------
    BrokenProductError, DataError
        If the file is damaged, or not a figure data file that this version knows.
    """
    product = read_hdf5(path, schema=SCHEMA)
    readers: dict[str, Callable[[Product], Content]] = {
        KIND: strip_of,
        curves_data.KIND: curves_of,
        GALLERY: gallery_of,
        CURVE_KIND: curve_of,
        RELIABILITY_KIND: reliability_of,
        SCATTER_KIND: scatter_of,
        TOYS_KIND: toy_curves_of,
    }
    reader = readers.get(str(product.params.get("kind")))
    return reader(product) if reader is not None else read_figure_data(path)


@contextmanager
def _quiet_font_subsetting() -> Iterator[None]:
    """Matplotlib's own fonts carry odd dates, and the library that cuts them to size warns each time."""
    logger = logging.getLogger("fontTools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
