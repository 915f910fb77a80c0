"""What a figure says, as plain data: its sidecar, so that nobody needs to measure a picture.

``facts``
    Headings of blocks and rows, the scale and its rule: what tables and captions take from here.
``numbers``
    Every number that the figure shows, from the file of figure data: scores, classes, probabilities, limits of scales,
    shares, curves and bars complete.  A cloud of marks, one for each of many passes, is summarised.
``drawn``
    What stands on the paper, read from the drawing itself: words and tick labels in the order in which they were
    drawn, and the limits of every axis and colour scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import Norm
from matplotlib.figure import Figure
from matplotlib.text import Text

from nn_interpretability.plotting.curves_data import Curves
from nn_interpretability.plotting.data import FloatArray, MapRow, PanelGroup
from nn_interpretability.plotting.gallery_data import Gallery, GalleryRow
from nn_interpretability.plotting.scatter_data import PassScatter
from nn_interpretability.plotting.strip_data import OcclusionStrip
from nn_interpretability.plotting.style import plain
from nn_interpretability.plotting.toys_data import ToyCurves
from nn_interpretability.plotting.uncertainty_data import EvidenceCurve, ReliabilityDiagrams

Content = PanelGroup | OcclusionStrip | Curves | Gallery | EvidenceCurve | ReliabilityDiagrams | PassScatter | ToyCurves
Plain = dict[str, Any]


def sidecar(content: Content, provenance: Mapping[str, Any], figure: Figure | None = None) -> Plain:
    """What a reader of the figure may want to know.

    Parameters
    ----------
    content
        What the figure data file holds.
    provenance
        What made the figure.
    figure
        The drawing, saved once, so that ticks have their places; None: ``drawn`` is left out.
    """
    facts, numbers = _said(content)
    said = {
        "figure": content.figure,
        "provenance": dict(provenance),
        "data_provenance": dict(content.provenance),
        "facts": facts,
        "numbers": numbers,
    }
    return said if figure is None else {**said, "drawn": drawn(figure)}


def drawn(figure: Figure) -> Plain:
    """Words, and limits of axes and colour scales, as they stand on the paper."""
    axes = [each for each in figure.axes if not _is_bare(each)]
    scales = [image.norm for each in figure.axes for image in each.images if image.get_cmap() is not None]
    return {
        "words": _words(figure),
        "axes": [{"x": _limits(each.get_xlim()), "y": _limits(each.get_ylim())} for each in axes],
        "colour_scales": _scales(scales, figure),
    }


def _words(figure: Figure) -> list[str]:
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [text.get_text() for text in axes.texts]
        for axis in (axes.xaxis, axes.yaxis):
            found += [*_ticks(axis), axis.get_label().get_text()]
        legend = axes.get_legend()
        found += [text.get_text() for text in legend.get_texts()] if legend is not None else []
    return [plain(words) for words in found if words.strip()]


def _ticks(axis: Axis) -> list[str]:
    low, high = sorted(axis.get_view_interval())
    room = 1e-9 * (high - low)
    shown = (tick for tick in axis.get_major_ticks() if low - room <= tick.get_loc() <= high + room)
    return [_text_of(tick.label1) or _text_of(tick.label2) for tick in shown]


def _text_of(label: Text) -> str:
    return str(label.get_text()) if label.get_visible() else ""


def _is_bare(axes: Axes) -> bool:
    """Whether axes only frame a picture."""
    return bool(axes.images) and not axes.get_xticks().size and not axes.get_yticks().size


def _limits(pair: tuple[float, float]) -> list[float]:
    return [float(pair[0]), float(pair[1])]


def _scales(norms: Sequence[Norm], figure: Figure) -> list[list[float]]:
    """Ends of the colour scales of images and colour bars, each once, in their order."""
    bars = [each._colorbar.norm for each in figure.axes if hasattr(each, "_colorbar")]
    ends = [(norm.vmin, norm.vmax) for norm in [*norms, *bars]]
    known = [(float(low), float(high)) for low, high in ends if low is not None and high is not None]
    return [list(each) for each in dict.fromkeys(known)]


def _said(content: Content) -> tuple[Plain, Plain]:
    match content:
        case OcclusionStrip():
            return _strip(content)
        case Curves():
            return _curves(content)
        case Gallery():
            return _gallery(content)
        case EvidenceCurve():
            return _evidence(content)
        case ReliabilityDiagrams():
            return _reliability(content)
        case PassScatter():
            return _scatter(content)
        case ToyCurves():
            return _toys(content)
        case PanelGroup():
            return _group(content)


def _named(rows: Any) -> list[Plain]:
    return [{"name": each.name, "heading": each.heading, "detail": each.detail} for each in rows]


def _group(group: PanelGroup) -> tuple[Plain, Plain]:
    facts = {
        "quantity": group.quantity,
        "limit": group.rows[0].limit,
        "scale_rule": group.scale_rule,
        "pictures": len(group.label),
        "blocks": [
            {
                "heading": block.heading,
                "rows": [{**_named([row])[0], "share_beyond": row.beyond} for row in block.rows],
            }
            for block in group.blocks
        ],
    }
    numbers = {
        "label": group.label.tolist(),
        "quantile": group.quantile,
        "heads": list(group.heads),
        "classes": list(group.classes),
        "rows": {row.name: _row(row) for row in group.rows},
    }
    return facts, numbers


def _row(row: MapRow) -> Plain:
    return {
        "target": row.target.tolist(),
        "score": _floats(row.score),
        "probability": _floats(row.probability),
        "limit": row.limit,
        "share_beyond": row.beyond,
        "notes": list(row.notes),
        "largest": _floats(np.abs(row.values).reshape(len(row.values), -1).max(axis=1)),
    }


def _strip(strip: OcclusionStrip) -> tuple[Plain, Plain]:
    facts = {
        "quantity": strip.quantity,
        "limit": strip.limit,
        "pictures": len(strip.covered),
        "blocks": [{"heading": "", "rows": _named(strip.maps)}],
    }
    numbers = {
        "label": strip.label,
        "whole": strip.whole,
        "probability": _floats(strip.probability),
        "seen": strip.seen.tolist(),
        "seen_share": _floats(strip.seen_share),
        "limit": strip.limit,
    }
    return facts, numbers


def _curves(curves: Curves) -> tuple[Plain, Plain]:
    facts = {
        "quantity": curves.y_label,
        "facts": dict(curves.facts),
        "blocks": [{"heading": "", "rows": _named(curves.panels)}],
    }
    lines = {panel.name: {line.label: _floats(line.values) for line in panel.lines} for panel in curves.panels}
    return facts, {"x": _floats(curves.x), "lines": lines}


def _gallery(gallery: Gallery) -> tuple[Plain, Plain]:
    facts = {
        "quantity": "",
        "pictures": sum(len(each.pictures) for each in gallery.rows),
        "blocks": [{"heading": "", "rows": _named(gallery.rows)}],
    }
    return facts, {"facts": dict(gallery.facts), "rows": {row.name: _gallery_row(row) for row in gallery.rows}}


def _gallery_row(row: GalleryRow) -> Plain:
    brightness = row.pictures.reshape(len(row.pictures), -1).mean(axis=1)
    return {"notes": list(row.notes), "limit": row.limit, "pictures": len(row.pictures), "mean": _floats(brightness)}


def _evidence(curve: EvidenceCurve) -> tuple[Plain, Plain]:
    facts = {"quantity": "probability", "pictures": len(curve.angle), "blocks": []}
    networks = {
        heading: {"probability": curve.probability[place].tolist(), "uncertainty": _floats(curve.uncertainty[place])}
        for place, heading in enumerate(curve.headings)
    }
    return facts, {"label": curve.label, "angle": _floats(curve.angle), "networks": networks}


def _reliability(diagrams: ReliabilityDiagrams) -> tuple[Plain, Plain]:
    facts = {"quantity": "accuracy", "pictures": int(diagrams.count[0, 0].sum()), "blocks": []}
    bars = {
        network: {
            scaling: {
                "count": diagrams.count[row, column].tolist(),
                "confidence": _floats(diagrams.confidence[row, column]),
                "accuracy": _floats(diagrams.accuracy[row, column]),
                "expected_error": float(diagrams.expected_error[row, column]),
            }
            for column, scaling in enumerate(diagrams.scalings)
        }
        for row, network in enumerate(diagrams.networks)
    }
    return facts, {"networks": bars}


def _scatter(scatter: PassScatter) -> tuple[Plain, Plain]:
    facts = {"quantity": "logits", "pictures": len(scatter.angle), "passes": len(scatter.logit), "blocks": []}
    numbers: Plain = {
        "classes": list(scatter.classes),
        "names": list(scatter.names),
        "angle": _floats(scatter.angle),
        "top": scatter.top.tolist(),
        "top_probability": scatter.top_probability.tolist(),
        "mutual_information": _floats(scatter.mutual_information),
        "still_logit": scatter.still_logit.tolist(),
        "still_probability": scatter.still_probability.tolist(),
    }
    for name, values in (("logit", scatter.logit), ("probability", scatter.probability)):
        summary = {"least": values.min(axis=0), "mean": values.mean(axis=0), "largest": values.max(axis=0)}
        numbers[name] = {key: np.asarray(value, dtype=np.float64).tolist() for key, value in summary.items()}
    return facts, numbers


def _toys(toys: ToyCurves) -> tuple[Plain, Plain]:
    facts = {"quantity": "share of the score", "methods": dict(toys.methods), "blocks": []}
    columns = {
        column.name: {
            "along": _floats(column.along),
            "score": _floats(column.score),
            "values": dict(zip(toys.methods, column.values.tolist(), strict=True)),
        }
        for column in toys.columns
    }
    return facts, {"columns": columns}


def _floats(values: FloatArray) -> list[float]:
    return [float(value) for value in values]
