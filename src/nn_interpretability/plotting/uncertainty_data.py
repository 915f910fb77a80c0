"""What figures of uncertainty hold: curves over the angle of a digit, and reliability diagrams.

A file of kind ``evidence_curve`` holds ``pictures`` [sample, channel, y, x], ``angle`` [sample] (degrees),
``probability`` [model, sample, class] and ``uncertainty`` [model, sample].  One of kind ``reliability`` holds
``count``, ``confidence`` and ``accuracy`` [model, scaling, bin].  Names and headings are in ``params``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nn_interpretability.plotting.data import SCHEMA, FloatArray, IntArray
from nn_interpretability.storage.hdf5 import Array, Product, write_hdf5

CURVE_KIND = "evidence_curve"
RELIABILITY_KIND = "reliability"


@dataclass(frozen=True)
class EvidenceCurve:
    """What networks say of one digit at several angles.

    Attributes
    ----------
    figure
        Name of the figure.
    pictures, angle
        The digit [sample, channel, y, x] and how far it is turned [sample], in degrees.
    label
        Its class.
    headings
        Name of each network.
    evidential
        Whether its uncertainty is that of evidence, u.
    probability, uncertainty
        [model, sample, class] and [model, sample].
    """

    figure: str
    pictures: FloatArray
    angle: FloatArray
    label: int
    headings: tuple[str, ...]
    evidential: tuple[bool, ...]
    probability: FloatArray
    uncertainty: FloatArray
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReliabilityDiagrams:
    """Accuracy by confidence, of networks under calibrations.

    Attributes
    ----------
    figure
        Name of the figure.
    networks, scalings
        Headings of the rows and columns.
    count, confidence, accuracy
        [model, scaling, bin].
    """

    figure: str
    networks: tuple[str, ...]
    scalings: tuple[str, ...]
    count: IntArray
    confidence: FloatArray
    accuracy: FloatArray
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def expected_error(self) -> FloatArray:
        """Expected calibration error [model, scaling], 0 to 1."""
        gaps = self.count * np.abs(self.accuracy - self.confidence)
        return np.asarray(gaps.sum(axis=2) / self.count.sum(axis=2))


def write_curve(path: Path, curve: EvidenceCurve, *, provenance: Mapping[str, Any]) -> None:
    """Write the figure data file; ``provenance`` says which job made it from what."""
    arrays = {
        "pictures": Array(curve.pictures.astype(np.float32), ("sample", "channel", "y", "x")),
        "angle": Array(curve.angle.astype(np.float64), ("sample",)),
        "probability": Array(curve.probability.astype(np.float64), ("model", "sample", "class")),
        "uncertainty": Array(curve.uncertainty.astype(np.float64), ("model", "sample")),
    }
    params = {
        "figure": curve.figure,
        "kind": CURVE_KIND,
        "label": curve.label,
        "headings": list(curve.headings),
        "evidential": list(curve.evidential),
    }
    write_hdf5(path, arrays, schema=SCHEMA, params=params, provenance=provenance)


def curve_of(product: Product) -> EvidenceCurve:
    """The contents of a figure data file of kind ``evidence_curve``."""
    arrays = {name: array.values for name, array in product.arrays.items()}
    return EvidenceCurve(
        figure=product.params["figure"],
        label=product.params["label"],
        headings=tuple(product.params["headings"]),
        evidential=tuple(product.params["evidential"]),
        provenance=product.provenance,
        **arrays,
    )


def write_reliability(path: Path, diagrams: ReliabilityDiagrams, *, provenance: Mapping[str, Any]) -> None:
    """Write the figure data file; ``provenance`` says which job made it from what."""
    dims = ("model", "scaling", "bin")
    arrays = {
        "count": Array(diagrams.count.astype(np.int64), dims),
        "confidence": Array(diagrams.confidence.astype(np.float64), dims),
        "accuracy": Array(diagrams.accuracy.astype(np.float64), dims),
    }
    params = {
        "figure": diagrams.figure,
        "kind": RELIABILITY_KIND,
        "networks": list(diagrams.networks),
        "scalings": list(diagrams.scalings),
    }
    write_hdf5(path, arrays, schema=SCHEMA, params=params, provenance=provenance)


def reliability_of(product: Product) -> ReliabilityDiagrams:
    """The contents of a figure data file of kind ``reliability``."""
    arrays = {name: array.values for name, array in product.arrays.items()}
    return ReliabilityDiagrams(
        figure=product.params["figure"],
        networks=tuple(product.params["networks"]),
        scalings=tuple(product.params["scalings"]),
        provenance=product.provenance,
        **arrays,
    )
