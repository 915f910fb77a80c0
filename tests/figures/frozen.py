"""One drawing of each kind that frozen arrays do not yet make in ``groups.py``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from figures.groups import one_row_in_colour, two_blocks, two_panels_of_curves, two_toys
from figures.synthetic import covered, pictures, waves

from nn_interpretability.plotting.data import MapRow, PanelGroup
from nn_interpretability.plotting.gallery_data import Gallery, GalleryRow
from nn_interpretability.plotting.scatter_data import PassScatter
from nn_interpretability.plotting.sidecar import Content
from nn_interpretability.plotting.strip_data import OcclusionMap, OcclusionStrip
from nn_interpretability.plotting.uncertainty_data import EvidenceCurve, ReliabilityDiagrams

ANGLES = np.linspace(0, 160, 5)


def occlusions() -> OcclusionStrip:
    """A picture under a window at 16 positions, seen as two classes, and two maps of it."""
    share = np.linspace(0.9, 0.2, 16)
    maps = tuple(OcclusionMap(name, "Occlusion", f"{name}, 2 × 2", waves()[n]) for n, name in enumerate(("a", "b")))
    seen = np.where(share > 0.5, 1, 4)
    seen_share = np.maximum(share, 1 - share)
    return OcclusionStrip(
        "fig09", pictures()[1], covered()[1:], 1, 0.93, share, seen, seen_share, maps, 0.8, "fall of the score"
    )


def overlay_and_grey() -> PanelGroup:
    """Maps over their pictures, and maps in grey with notes; columns have heads of their own."""
    group = two_blocks()
    over, grey = (replace(block, rows=tuple(map(twice, block.rows))) for block in group.blocks)
    notes = ("as black", "as", "white") * 2
    rows = tuple(replace(row, values=np.abs(row.values), notes=notes) for row in grey.rows[:1])
    return replace(
        group,
        quantity="R",
        pictures=np.concatenate([group.pictures] * 2),
        label=np.concatenate([group.label] * 2),
        scale="overlay",
        heads=("0°\nright", "45°\nwrong", "90°\nright") * 2,
        blocks=(over, replace(grey, rows=rows, grey=True)),
    )


def twice(row: MapRow) -> MapRow:
    """The row, with its columns repeated."""
    columns = ("values", "score", "target", "probability")
    return replace(row, **{name: np.concatenate([getattr(row, name)] * 2) for name in columns})


def gallery() -> Gallery:
    """Colour pictures with notes, and small signed filters."""
    photographs = np.concatenate([pictures(3, 24), pictures(3, 24)[:, :, ::-1], pictures(3, 24)[:, :, :, ::-1]], axis=1)
    filters = waves(samples=10, size=5)[:, None]
    rows = (
        GalleryRow("dreams", "", "", photographs, ("the photograph", "features.8, all channels", "c")),
        GalleryRow("filters", "Filters", "of conv1", filters, limit=1.0),
    )
    return Gallery("fig04", rows)


def evidence() -> EvidenceCurve:
    """A digit that turns, before a network trained for evidence and an ordinary one."""
    towards = np.stack([np.roll([0.8, 0.15, 0.05, 0, 0, 0, 0, 0, 0, 0], place) for place in range(5)])
    headings = ("Evidential network: mean probability and u", "Ordinary network: softmax")
    uncertainty = np.stack([np.linspace(0.1, 0.9, 5), np.zeros(5)])
    return EvidenceCurve(
        "fig20", pictures(5), ANGLES, 1, headings, (True, False), np.stack([towards, towards[::-1]]), uncertainty
    )


def reliability() -> ReliabilityDiagrams:
    """Two networks, two scalings: too sure, and right; the lowest bins are empty."""
    places = (np.arange(15) + 0.5) / 15
    count = np.tile(np.where(np.arange(15) < 4, 0, 10 * np.arange(15)), (2, 2, 1))
    confidence = np.where(count > 0, places, 0.0)
    accuracy = confidence * np.array([0.7, 1.0])[None, :, None]
    return ReliabilityDiagrams(
        "reliability", ("cnn", "dropout_cnn"), ("none", "temperature"), count, confidence, accuracy
    )


def scatter() -> PassScatter:
    """Forty passes of a digit at five angles; two classes that change places."""
    wave = np.sin(np.arange(40.0))[:, None]
    logit = np.stack([4 - ANGLES / 40 + wave, ANGLES / 40 - wave / 2], axis=-1)
    probability = 1 / (1 + np.exp(-logit + logit[..., ::-1]))
    mean = probability.mean(axis=0)
    return PassScatter(
        "fig18", (1, 7), pictures(5), ANGLES, logit, probability, logit.mean(axis=0), mean,
        np.argsort(-mean, axis=1) * 6 + 1, -np.sort(-mean, axis=1), np.linspace(0.01, 0.2, 5),
    )  # fmt: skip


#: Every kind of figure, and what is peculiar in how some are drawn.
DRAWINGS: dict[str, Content] = {
    "two_blocks": two_blocks(),
    "one_row_in_colour": one_row_in_colour(),
    "overlay_and_grey": overlay_and_grey(),
    "two_panels_of_curves": two_panels_of_curves(),
    "two_toys": two_toys(),
    "occlusions": occlusions(),
    "gallery": gallery(),
    "evidence": evidence(),
    "reliability": reliability(),
    "scatter": scatter(),
}
