"""Attributions in HDF5: the layout ``attribution/1``.

==========================  =====================================================================================
``values``                  attribution ``[sample, channel, y, x]``, or ``[sample, target, channel, y, x]``; the axis
                            is ``map_channel``, of length 1, where there is one value per pixel for several channels.
                            Volumes have ``z`` before ``y``; bfloat16 is stored as float32
``multipliers``             attribution per unit of difference from the reference, of the shape of ``values``
``reference``               the reference ``[sample, channel, y, x]``, or several ``[sample, baseline, channel, y, x]``
``images``                  the explained images, where they were given
``output``                  the explained score ``[sample]`` (``[sample, target]``), float64
``logits, probabilities``   scores of the model and their softmax ``[sample, class]``
``predicted, target``       class of the largest score, and the explained class, ``[sample]``
``label``                   true class ``[sample]``, where it is known
``completeness_error``      relative gap between the sum of a map and its score, for methods that sum to it
``variance``                variance of maps that were averaged, of the shape of ``values``, where there were several
``trace_*``                 the conservation trace ``[layer, sample]``, where it was kept
``detail_*``                what else the method found, see the method
==========================  =====================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn_interpretability.storage.hdf5 import Array, Product, read_hdf5, write_hdf5
from nn_interpretability.storage.tensors import stored

if TYPE_CHECKING:
    from torch import Tensor

    from nn_interpretability.attribution import Attribution
    from nn_interpretability.engine.trace import ConservationTrace

SCHEMA = "attribution/1"
_PIXELS = {5: ("channel", "z", "y", "x"), 4: ("channel", "y", "x"), 3: ("channel", "position"), 2: ("feature",)}
_DETAIL = "detail_"


def save_attribution(
    attribution: Attribution,
    path: Path | str,
    *,
    images: Tensor | None = None,
    label: Tensor | None = None,
    params: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write an attribution, whole or not at all.

    Parameters
    ----------
    attribution
        What to store.
    path
        The file.
    images, label
        The explained images ``(N, ...)`` and their true classes ``(N,)``.
    params
        What was asked for, beside method, hyper-parameters and target, which are always stored.
    provenance
        What made the file.
    """
    arrays = _arrays(attribution, images, label)
    scales: dict[str, Any] = {}
    trace = attribution.trace
    if trace is not None:
        arrays |= _trace_arrays(trace)
        scales["layer"] = np.asarray(trace.layers, dtype=object)
    described = {
        "method": attribution.method,
        "parameters": dict(attribution.parameters),
        "target": attribution.target_description,
        "conserving": attribution.conserving,
        "coverage": {key: dict(value) for key, value in attribution.coverage.items()},
    }
    if trace is not None:
        described["rules"] = list(trace.rules)
    described |= dict(params or {})
    write_hdf5(path, arrays, schema=SCHEMA, params=described, provenance=provenance or {}, scales=scales)


def load_attribution(path: Path | str) -> Attribution:
    """Read an attribution as tensors on the CPU.

    Raises
    ------
    BrokenProductError, DataError
        If the file is damaged, or not an attribution.
    """
    import torch

    from nn_interpretability.attribution import Attribution

    product = read_hdf5(path, schema=SCHEMA)

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(product.arrays[name].values))

    params = product.params
    return Attribution(
        values=tensor("values"),
        score=tensor("output"),
        logits=tensor("logits"),
        target=tensor("target") if "target" in product.arrays else None,
        conserving=params["conserving"],
        method=params["method"],
        parameters=params["parameters"],
        target_description=params["target"],
        coverage=params["coverage"],
        reference=tensor("reference") if "reference" in product.arrays else None,
        variance=tensor("variance") if "variance" in product.arrays else None,
        multipliers=tensor("multipliers") if "multipliers" in product.arrays else None,
        trace=_load_trace(product) if "trace_received" in product.arrays else None,
        details={name.removeprefix(_DETAIL): tensor(name) for name in product.arrays if name.startswith(_DETAIL)},
    )


def _arrays(attribution: Attribution, images: Tensor | None, label: Tensor | None) -> dict[str, Array]:
    stacked = attribution.score.dim() == 2
    pixels = _PIXELS[attribution.values.dim() - stacked]
    reference = attribution.reference
    several = reference is not None and attribution.multipliers is not None and reference.dim() > len(pixels) + 1
    given = images if images is not None else reference[:, 0] if reference is not None and several else reference
    maps = pixels if given is None else _apart(pixels, attribution.values, given)
    samples = ("sample", "target") if stacked else ("sample",)
    logits = attribution.logits.double()
    arrays = {
        "values": Array(stored(attribution.values), (*samples, *maps)),
        "output": Array(stored(attribution.score), samples),
        "logits": Array(stored(attribution.logits), ("sample", "class")),
        "probabilities": Array(stored(logits.softmax(dim=1)), ("sample", "class")),
        "predicted": Array(stored(logits.argmax(dim=1)), ("sample",)),
    }
    inputs = () if given is None else _PIXELS[given.dim()]
    optional: dict[str, tuple[Tensor | None, tuple[str, ...]]] = {
        "images": (images, ("sample", *inputs)),
        "reference": (reference, ("sample", *(("baseline",) if several else ()), *inputs)),
        "multipliers": (attribution.multipliers, (*samples, *maps)),
        "variance": (attribution.variance, (*samples, *maps)),
        "label": (label, ("sample",)),
        "target": (attribution.target, ("sample",)),
    }
    for name, (value, dims) in optional.items():
        if value is not None:
            arrays[name] = Array(stored(value), dims)
    error = attribution.completeness_error
    if error is not None:
        arrays["completeness_error"] = Array(stored(error), samples)
    for name, detail in attribution.details.items():
        inner = tuple(f"{name}_axis{axis}" for axis in range(1, detail.dim()))
        arrays[_DETAIL + name] = Array(stored(detail), ("sample", *inner))
    return arrays


def _apart(pixels: tuple[str, ...], values: Tensor, images: Tensor) -> tuple[str, ...]:
    """Names of the axes of a map, other names than the images' where the sizes differ."""
    whole = dict(zip(_PIXELS[images.dim()], images.shape[1:], strict=True))
    sizes = zip(pixels, values.shape[-len(pixels) :], strict=True)
    return tuple(name if size == whole.get(name, size) else f"map_{name}" for name, size in sizes)


def _trace_arrays(trace: ConservationTrace) -> dict[str, Array]:
    from nn_interpretability.engine.trace import PARTS

    dims = ("layer", "sample", "target")[: trace.received.dim()]
    arrays = {f"trace_{part}": Array(stored(getattr(trace, part)), dims) for part in PARTS}
    return arrays | {"trace_unaccounted": Array(stored(trace.unaccounted), dims[1:])}


def _load_trace(product: Product) -> ConservationTrace:
    import torch

    from nn_interpretability.engine.trace import PARTS, ConservationTrace

    parts = {name: torch.from_numpy(product.arrays[f"trace_{name}"].values) for name in (*PARTS, "unaccounted")}
    layers = tuple(str(name) for name in product.scales["layer"])
    return ConservationTrace(layers, tuple(product.params["rules"]), **parts)
