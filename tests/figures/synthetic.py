"""Small made-up results with known values, for tests of figures, numbers and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nn_interpretability.storage.hdf5 import Array, write_hdf5
from nn_interpretability.storage.product import write_json

LAYERS = ("features.conv1", "features.conv2", "classifier.fc1", "classifier.fc2")
PROVENANCE: Mapping[str, Any] = {
    "rule": "attribute",
    "wildcards": {"attribution": "x"},
    "code": "c0de" * 4,
    "commit": "1234567890abcdef",
    "inputs": {"models/cnn/weights.safetensors": "aa" * 32, "probes/digits.h5": "bb" * 32},
    "seed": 7,
    "device": "cpu",
    "instruction_set": "AVX2",
    "versions": {"python": "3.11.7", "torch": "2.13.0", "numpy": "2.4.6", "h5py": "3.16.0"},
}


def pictures(samples: int = 3, size: int = 8, channels: int = 1) -> np.ndarray:
    """Pictures in [0, 1] whose left half is black."""
    y, x = np.mgrid[:size, :size]
    rows = [np.where(x < size // 2, 0, ((x + 2 * y + sample) % 5) / 4) for sample in range(samples)]
    return np.repeat(np.stack(rows)[:, None], channels, axis=1).astype(np.float32)


def covered() -> np.ndarray:
    """The second picture, whole and under a white window of 2 x 2 at each of 16 positions."""
    images = np.repeat(pictures()[1:2], 17, axis=0)
    for place in range(16):
        top, left = 2 * (place // 4), 2 * (place % 4)
        images[place + 1, :, top : top + 2, left : left + 2] = 1
    return images


def waves(samples: int = 3, size: int = 8, phase: float = 0.0) -> np.ndarray:
    """Smooth signed maps [sample, y, x]."""
    y, x = np.mgrid[:size, :size] / size
    return np.stack([np.sin(6 * x + s + phase) * np.cos(4 * y - s) for s in range(samples)]).astype(np.float32)


def write_attribution(
    path: Path,
    values: np.ndarray,
    *,
    method: str = "lrp",
    parameters: Mapping[str, Any] | None = None,
    score: Sequence[float] | None = None,
    target: Sequence[int] | None = None,
    images: np.ndarray | None = None,
    label: np.ndarray | None = None,
    trace: Mapping[str, np.ndarray] | None = None,
    provenance: Mapping[str, Any] = PROVENANCE,
    logits: np.ndarray | None = None,
    explained: str = "label",
    **params: Any,
) -> Path:
    """Write an attribution file of maps [sample, y, x] or [sample, channel, y, x]."""
    values = values[:, None] if values.ndim == 3 else values
    samples = len(values)
    probabilities = np.full((samples, 10), 0.01, dtype=np.float32)
    target = np.arange(samples) if target is None else np.asarray(target)
    probabilities[np.arange(samples), target] = 0.91
    score = values.sum(axis=(1, 2, 3)) if score is None else np.asarray(score)
    image = ("sample", "channel", "y", "x")
    arrays = {
        "values": Array(values.astype(np.float32), image),
        "images": Array(pictures(samples, values.shape[-1], values.shape[1]) if images is None else images, image),
        "output": Array(np.asarray(score, dtype=np.float32), ("sample",)),
        "probabilities": Array(probabilities, ("sample", "class")),
        "target": Array(target.astype(np.int64), ("sample",)),
        "label": Array(np.arange(samples) if label is None else label, ("sample",)),
        "predicted": Array(target.astype(np.int64), ("sample",)),
    }
    if method != "gradient":
        gap = np.abs(values.sum(axis=(1, 2, 3)) - score) / np.abs(score)
        arrays["completeness_error"] = Array(gap.astype(np.float64), ("sample",))
    scales: dict[str, Any] = {}
    if trace is not None:
        scales["layer"] = list(LAYERS)
        arrays |= {f"trace_{part}": Array(table, ("layer", "sample")) for part, table in trace.items()}
    if logits is not None:
        arrays["logits"] = Array(logits, ("sample", "class"))
    words = {"method": method, "parameters": dict(parameters or {}), "target": explained, "probe": "digits"}
    words |= params
    write_hdf5(path, arrays, schema="attribution/1", params=words, provenance=provenance, scales=scales)
    return path


def write_filters(path: Path, parameters: Mapping[str, Any], filters: int = 0) -> Path:
    """Write reconstructions of the filters of a layer: of ten, or of twenty where its name ends in 2."""
    filters = filters or (20 if str(parameters["layer"]).endswith("2") else 10)
    values = np.stack([waves(phase=k)[:, None] * (k + 1) for k in range(filters)], axis=1)
    image = ("sample", "channel", "y", "x")
    arrays = {
        "values": Array(values.astype(np.float32), ("sample", "target", "channel", "y", "x")),
        "images": Array(pictures(), image),
        "output": Array(np.arange(3 * filters, dtype=np.float64).reshape(3, filters), ("sample", "target")),
        "probabilities": Array(np.full((3, 10), 0.1, dtype=np.float32), ("sample", "class")),
        "label": Array(np.arange(3), ("sample",)),
        "predicted": Array(np.arange(3), ("sample",)),
    }
    params = {"method": "deconvolution", "parameters": dict(parameters), "target": "activation", "probe": "digits"}
    write_hdf5(path, arrays, schema="attribution/1", params=params, provenance=PROVENANCE)
    return path


def exact_trace(score: np.ndarray) -> dict[str, np.ndarray]:
    """A trace in which fc2 loses 10 % to the bias and conv2 20 % (of the score) to the stabiliser."""
    shares = {
        "received": [0.7, 0.9, 0.9, 1.0],
        "sent": [0.7, 0.7, 0.9, 0.9],
        "bias": [0.0, 0.0, 0.0, 0.1],
        "stabilizer": [0.0, 0.2, 0.0, 0.0],
        "blocked": [0.0, 0.0, 0.0, 0.0],
    }
    return {part: np.outer(column, score) for part, column in shares.items()}


def write_card(path: Path) -> Path:
    """A model card with round numbers."""
    quality = {"nll": 0.0321, "ece": 0.0123, "n": 1000}
    card = {
        "architecture": "small_cnn",
        "parameters": 21840,
        "seed": 1519062249,
        "device": "cpu",
        "data": {},
        "recipe": {"epochs": 6, "batch_size": 128, "max_learning_rate": 0.01, "weight_decay": 0.0},
        "test": {"accuracy": 0.9912, **quality},
        "validation": {"accuracy": 0.99, **quality},
    }
    write_json(path, card)
    return path


def write_record(path: Path, source: str = "mnist-local") -> Path:
    """A data record as the digits' loader writes it."""
    title = {
        "mnist-local": "MNIST handwritten digits (60,000 for training, 10,000 for testing)",
        "embedded": "UCI hand-written digits, as scikit-learn ships them",
    }
    write_json(
        path,
        {
            "source": source,
            "title": title[source],
            "reason": "found in the folder that data.local names",
            "licence": "CC BY-SA 3.0",
            "files": {},
            "counts": {"train": 900, "validation": 100, "test": 1000, "augmented": 0},
        },
    )
    return path
