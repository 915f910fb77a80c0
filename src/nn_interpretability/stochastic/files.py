"""Passes in HDF5: what one job hands to the next.

``passes/1``, from :func:`save_drawn`: ``logits [pass, sample, class]``, ``predicted [pass, sample]`` and ``undisturbed
[sample, class]``; the parameters hold the range of passes, the key of the random numbers, and their digests by block.

``pass_sums/1``, from :func:`save_attributed`: ``sum_* [block, sample, target or class, ...]`` in float64, one for each
product, ``scores [pass, sample, target]``, ``base [sample, target]``, and ``raw [kept_pass, sample, target, ...]``
where they were asked for.

``independent_pass_sums/1``, from :func:`save_independent`: for passes with masks of their own for each class, the
arrays of both, with ``masks`` as the first axis: which class the passes were drawn for.

``pass_attribution/1``, from :func:`save_result`: the fields of a
:class:`~nn_interpretability.stochastic.result.PassesAttribution` and its entropies, ``[sample, ...]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn_interpretability.storage.hdf5 import Array, Product, read_hdf5, write_hdf5
from nn_interpretability.storage.tensors import stored

if TYPE_CHECKING:
    from torch import Tensor

    from nn_interpretability.stochastic.chunks import AttributedPasses, DrawnPasses
    from nn_interpretability.stochastic.result import PassesAttribution

DRAWN, SUMS, RESULT = "passes/1", "pass_sums/1", "pass_attribution/1"
INDEPENDENT = "independent_pass_sums/1"
_PIXELS = {4: ("channel", "z", "y", "x"), 3: ("channel", "y", "x"), 2: ("channel", "position"), 1: ("feature",), 0: ()}
_SUM = "sum_"
_BY_CLASS = ("by_predicted_class", "target_by_predicted_class")


def save_drawn(drawn: DrawnPasses, path: Path | str, *, provenance: Mapping[str, Any] | None = None) -> None:
    """Write the scores of a chunk of passes, whole or not at all."""
    scales = {"pass": np.arange(drawn.begin, drawn.end)}
    write_hdf5(
        path,
        _drawn_arrays(drawn),
        schema=DRAWN,
        params=_drawn_params(drawn),
        provenance=provenance or {},
        scales=scales,
    )


def load_drawn(path: Path | str) -> DrawnPasses:
    """Read what :func:`save_drawn` wrote.

    Raises
    ------
    BrokenProductError, DataError
        If the file is damaged, or something else.
    """
    product = read_hdf5(path, schema=DRAWN)
    return _drawn(product.params, _tensors(product))


def save_attributed(
    attributed: AttributedPasses, path: Path | str, *, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write what a method says of a chunk of passes, whole or not at all."""
    write_hdf5(
        path,
        _attributed_arrays(attributed),
        schema=SUMS,
        params=_attributed_params(attributed),
        provenance=provenance or {},
        scales=_attributed_scales(attributed),
    )


def load_attributed(path: Path | str) -> AttributedPasses:
    """Read what :func:`save_attributed` wrote.

    Raises
    ------
    BrokenProductError, DataError
        If the file is damaged, or something else.
    """
    product = read_hdf5(path, schema=SUMS)
    return _attributed(product.params, _tensors(product))


def save_independent(
    chunks: Sequence[tuple[DrawnPasses, AttributedPasses]],
    path: Path | str,
    *,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write a chunk of passes with masks of their own for each class, and what a method says of each class of them."""
    parts = [{**_drawn_arrays(drawn), **_attributed_arrays(attributed)} for drawn, attributed in chunks]
    arrays = {
        name: Array(np.stack([part[name].values for part in parts]), ("masks", *array.dims))
        for name, array in parts[0].items()
    }
    params = {
        "drawn": [_drawn_params(drawn) for drawn, _ in chunks],
        "attributed": [_attributed_params(attributed) for _, attributed in chunks],
    }
    scales = {"masks": np.arange(len(chunks)), **_attributed_scales(chunks[0][1])}
    write_hdf5(path, arrays, schema=INDEPENDENT, params=params, provenance=provenance or {}, scales=scales)


def load_independent(path: Path | str) -> list[tuple[DrawnPasses, AttributedPasses]]:
    """Read what :func:`save_independent` wrote, by class.

    Raises
    ------
    BrokenProductError, DataError
        If the file is damaged, or something else.
    """
    product = read_hdf5(path, schema=INDEPENDENT)
    tensors, params = _tensors(product), product.params
    found = []
    for place, (drawn, attributed) in enumerate(zip(params["drawn"], params["attributed"], strict=True)):
        own = {name: values[place] for name, values in tensors.items()}
        found.append((_drawn(drawn, own), _attributed(attributed, own)))
    return found


def _drawn_arrays(drawn: DrawnPasses) -> dict[str, Array]:
    return {
        "logits": Array(stored(drawn.logits), ("pass", "sample", "class")),
        "predicted": Array(stored(drawn.predicted), ("pass", "sample")),
        "undisturbed": Array(stored(drawn.undisturbed), ("sample", "class")),
    }


def _drawn_params(drawn: DrawnPasses) -> dict[str, Any]:
    return {
        "begin": drawn.begin,
        "end": drawn.end,
        "digests": list(drawn.digests),
        "identity": dict(drawn.identity),
        "device": drawn.device,
        "coverage": dict(drawn.coverage),
    }


def _drawn(params: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> DrawnPasses:
    from nn_interpretability.stochastic.chunks import DrawnPasses

    return DrawnPasses(
        params["begin"],
        params["end"],
        tensors["logits"],
        tensors["undisturbed"],
        tuple(params["digests"]),
        params["identity"],
        params["device"],
        params["coverage"],
    )


def _attributed_arrays(attributed: AttributedPasses) -> dict[str, Array]:
    arrays = {
        f"{_SUM}{name}": Array(stored(values), ("block", "sample", _second(name), *_PIXELS[values.dim() - 3]))
        for name, values in attributed.sums.items()
    }
    if attributed.raw is not None:
        arrays["raw"] = Array(
            stored(attributed.raw), ("kept_pass", "sample", "target", *_PIXELS[attributed.raw.dim() - 3])
        )
    arrays["scores"] = Array(stored(attributed.scores), ("pass", "sample", "target"))
    arrays["base"] = Array(stored(attributed.base), ("sample", "target"))
    if attributed.classes is not None:
        arrays["explained_class"] = Array(stored(attributed.classes), ("sample",))
    return arrays


def _attributed_scales(attributed: AttributedPasses) -> dict[str, Any]:
    first = attributed.begin // attributed.identity["block"]
    scales: dict[str, Any] = {"block": np.arange(first, first + len(attributed.sums["mean"]))}
    if attributed.raw is not None:
        scales["kept_pass"] = np.arange(attributed.begin, attributed.begin + len(attributed.raw))
    return {**scales, "pass": np.arange(attributed.begin, attributed.end)}


def _attributed_params(attributed: AttributedPasses) -> dict[str, Any]:
    return {
        "begin": attributed.begin,
        "end": attributed.end,
        "identity": dict(attributed.identity),
        "device": attributed.device,
        "fixed": attributed.fixed,
        "stacked": attributed.stacked,
        "coverage": {name: dict(value) for name, value in attributed.coverage.items()},
    }


def _attributed(params: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> AttributedPasses:
    from nn_interpretability.stochastic.chunks import AttributedPasses

    return AttributedPasses(
        begin=params["begin"],
        end=params["end"],
        sums={name.removeprefix(_SUM): values for name, values in tensors.items() if name.startswith(_SUM)},
        raw=tensors.get("raw"),
        scores=tensors["scores"],
        base=tensors["base"],
        fixed=params["fixed"],
        stacked=params["stacked"],
        classes=tensors.get("explained_class"),
        identity=params["identity"],
        device=params["device"],
        coverage=params["coverage"],
    )


def save_result(
    result: PassesAttribution,
    path: Path | str,
    *,
    params: Mapping[str, Any] | None = None,
    extra: Mapping[str, Array] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write the result of all passes, whole or not at all.

    ``params`` is what was asked for, beside the identity, and ``extra`` what else the file should hold, such as the
    images.
    """
    stacked = result.score_mean.dim() == 2
    arrays = {
        "logits": Array(stored(result.logits), ("target", "pass", "sample", "class")[-result.logits.dim() :]),
        "undisturbed": Array(stored(result.undisturbed), ("sample", "class")),
        "counts": Array(stored(result.counts), ("sample", "class")),
        "probabilities": Array(stored(result.probabilities), ("sample", "class")),
    }
    for name in ("predictive_entropy", "expected_entropy", "mutual_information"):
        arrays[name] = Array(stored(getattr(result, name)), ("sample",))
    for name in ("score_mean", "score_variance"):
        values = getattr(result, name)
        if values is not None:
            arrays[name] = Array(stored(values), ("sample", "target")[: values.dim()])
    if result.target is not None:
        arrays["explained_class"] = Array(stored(result.target), ("sample",))
    own = ("sample", "target") if stacked else ("sample",)
    for name, axes in {
        "mean": own,
        "covariance": own,
        "variance": own,
        "raw": ("kept_pass", *own),
        **dict.fromkeys(_BY_CLASS, ("sample", "class")),
    }.items():
        values = getattr(result, name)
        if values is not None:
            arrays[name] = Array(stored(values), (*axes, *_PIXELS[values.dim() - len(axes)]))
    described = {
        "identity": dict(result.identity),
        "passes": result.passes,
        "coverage": {name: dict(value) for name, value in result.coverage.items()},
        **(params or {}),
    }
    write_hdf5(path, {**arrays, **(extra or {})}, schema=RESULT, params=described, provenance=provenance or {})


def load_result(path: Path | str) -> PassesAttribution:
    """Read what :func:`save_result` wrote.

    Raises
    ------
    BrokenProductError, DataError
        If the file is damaged, or something else.
    """
    from nn_interpretability.stochastic.result import PassesAttribution

    product = read_hdf5(path, schema=RESULT)

    def maybe(name: str) -> Tensor | None:
        return _tensor(product, name) if name in product.arrays else None

    optional = ("score_variance", "covariance", *_BY_CLASS, "variance", "raw")
    fields: dict[str, Any] = {name: maybe(name) for name in optional}
    return PassesAttribution(
        mean=_tensor(product, "mean"),
        score_mean=_tensor(product, "score_mean"),
        counts=_tensor(product, "counts"),
        logits=_tensor(product, "logits"),
        undisturbed=_tensor(product, "undisturbed"),
        target=maybe("explained_class"),
        block=product.params["identity"]["block"],
        identity=product.params["identity"],
        coverage=product.params["coverage"],
        **fields,
    )


def _second(name: str) -> str:
    return "class" if name in _BY_CLASS else "target"


def _tensors(product: Product) -> dict[str, Tensor]:
    return {name: _tensor(product, name) for name in product.arrays}


def _tensor(product: Product, name: str) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(product.arrays[name].values))
