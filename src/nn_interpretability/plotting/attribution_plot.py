"""A quick look at an attribution, outside of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nn_interpretability.errors import ConfigError
from nn_interpretability.plotting.heatmaps import draw_map, draw_picture
from nn_interpretability.plotting.scale import symmetric_limit
from nn_interpretability.plotting.style import HEADING_PT, figure_style, inches, typeset
from nn_interpretability.storage.tensors import stored

if TYPE_CHECKING:
    from torch import Tensor

    from nn_interpretability.attribution import Attribution

_CELL_CM, _TITLE_CM, _SCALE_CM = 3.0, 0.6, 1.8
_MOST_COLUMNS = 10


def plot_attribution(
    attribution: Attribution, images: Tensor | None = None, class_names: Sequence[str] | None = None
) -> Figure:
    """Draw the maps, one column for each image and one row for each explained class, on one scale.

    Parameters
    ----------
    attribution
        Maps of pictures ``(N, C, H, W)`` (``(N, K, C, H, W)`` for all classes); channels are summed.
    images
        The pictures, ``(N, C, H, W)`` with values in [0, 1], drawn above; C is 1 or 3.
    class_names
        Name of each class, for the titles; without them classes have numbers.

    Returns
    -------
    Figure
        A matplotlib figure that belongs to no window: save it with ``figure.savefig``.

    Raises
    ------
    ConfigError
        If the attribution is not of pictures, or of more than ten of them.
    """
    maps = _rows_of_maps(attribution)
    rows, columns = maps.shape[:2]
    if columns > _MOST_COLUMNS:
        raise ConfigError(f"{columns} images do not fit in one figure: give at most {_MOST_COLUMNS} at a time.")
    shown = rows + (images is not None)
    with figure_style():
        size = (inches(columns * _CELL_CM + _SCALE_CM), inches(shown * _CELL_CM + _TITLE_CM))
        figure = Figure(figsize=size, layout="compressed")
        FigureCanvasAgg(figure)
        axes = figure.subplots(shown, columns, squeeze=False, subplot_kw={"xticks": [], "yticks": []})
        if images is not None:
            for place, picture in zip(axes[0], stored(images), strict=True):
                draw_picture(place, picture)
        limit = symmetric_limit([maps])
        drawn = [draw_map(axes[shown - rows + i, j], maps[i, j], limit) for i in range(rows) for j in range(columns)]
        for column, title in enumerate(_titles(attribution, class_names)):
            axes[0, column].set_title(typeset(title), fontsize=HEADING_PT)
        if rows > 1:
            counted = "class" if attribution.target_description == "all" else "filter"
            for row in range(rows):
                axes[shown - rows + row, 0].set_ylabel(f"{counted} {row}")
        ticks = [-limit, 0.0, limit]
        figure.colorbar(drawn[0], ax=axes, shrink=0.8).set_ticks(ticks, labels=[_number(tick) for tick in ticks])
    return figure


def _rows_of_maps(attribution: Attribution) -> npt.NDArray[np.float64]:
    """Maps [row, column, y, x]: channels summed, classes as rows."""
    values = stored(attribution.values).astype(np.float64)
    stacked = attribution.score.dim() == 2
    if values.ndim != 4 + stacked:
        raise ConfigError(f"Maps of shape {values.shape} are not of pictures (samples, channels, height, width).")
    summed: npt.NDArray[Any] = values.sum(axis=-3)
    return np.moveaxis(summed, 1, 0) if stacked else summed[None]


def _number(value: float) -> str:
    return typeset(f"{value:.2g}".replace("-", "−"))


def _titles(attribution: Attribution, class_names: Sequence[str] | None) -> list[str]:
    """Explained class and score of each column."""
    scores = attribution.score.tolist()
    if attribution.target is None or attribution.score.dim() == 2:
        return ["" if isinstance(score, list) else f"score {score:.2f}" for score in scores]
    classes = attribution.target.tolist()
    if class_names is not None:
        return [f"{class_names[c]}\nscore {s:.2f}" for c, s in zip(classes, scores, strict=True)]
    return [f"class {c}, score {s:.2f}" for c, s in zip(classes, scores, strict=True)]
