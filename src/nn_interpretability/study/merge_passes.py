"""One job: merge the chunks of passes, and state what came of them.

The merged file (schema ``pass_attribution/1``) also holds what was explained: ``images`` [sample, channel, y, x],
``label`` [sample], ``picture`` [sample], the place in the probe, and, for a picture at several angles, ``angle``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from nn_interpretability.errors import DataError
from nn_interpretability.stochastic.files import load_attributed, load_drawn, load_independent, save_result
from nn_interpretability.stochastic.information import pass_weights
from nn_interpretability.stochastic.merge import Merge, merge_passes, stack_classes
from nn_interpretability.stochastic.result import PassesAttribution
from nn_interpretability.storage.hdf5 import Array
from nn_interpretability.study.number_part import ANY, write_part
from nn_interpretability.study.numbers import entry
from nn_interpretability.study.passes import FUNCTIONS, pictures_of


def merge(
    probe: Path | str,
    drawn: Sequence[Path | str],
    sums: Sequence[Path | str],
    output: Path | str,
    *,
    passes: int,
    pictures: Sequence[int] | None,
    target: str,
    independent_masks: bool,
    description: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> PassesAttribution:
    """Merge the chunks of an explanation, and write the result.

    Parameters
    ----------
    probe, pictures, target
        As for :func:`nn_interpretability.study.attribute_chunk.attribute_chunk`.
    drawn, sums
        All chunks, in any order.
    independent_masks
        Whether each class has passes of its own, which lie with the sums.
    output
        The merged file, schema ``pass_attribution/1``.
    passes
        How many there should be.
    description
        Stored with the parameters: names of the entry, the model, the probe and the like.
    provenance
        What makes the file.

    Raises
    ------
    DataError
        If a chunk is missing, overlaps with another one or is of something else; named by its passes.
    BrokenProductError
        If a file was altered; named.
    """
    result = _of_each_class(sums, passes) if independent_masks else _of_the_same(drawn, sums, passes)
    if target in FUNCTIONS:
        result = replace(result, score_mean=pass_weights(FUNCTIONS[target], result.logits)[1])
    chosen = pictures_of(probe, pictures)
    shown = {
        "images": Array(chosen.images, ("sample", "channel", "y", "x")),
        "label": Array(chosen.label, ("sample",)),
        "picture": Array(chosen.place, ("sample",)),
    }
    if chosen.angle is not None:
        shown["angle"] = Array(chosen.angle, ("sample",))
    params = {
        "target": target,
        "independent_masks": independent_masks,
        **description,
        **chosen.view.params(),
    }
    save_result(result, output, params=params, extra=shown, provenance=provenance)
    return result


def _of_the_same(drawn: Sequence[Path | str], sums: Sequence[Path | str], passes: int) -> PassesAttribution:
    """All classes from the same passes."""
    together = Merge(passes)
    by_begin = {chunk.begin: chunk for chunk in map(load_drawn, drawn)}
    for attributed in sorted(map(load_attributed, sums), key=lambda chunk: chunk.begin):
        if attributed.begin not in by_begin:
            raise DataError(f"The passes from {attributed.begin} to {attributed.end} were explained but not drawn.")
        together.add(by_begin[attributed.begin], attributed)
    return together.result()


def _of_each_class(sums: Sequence[Path | str], passes: int) -> PassesAttribution:
    """Each class from passes of its own."""
    chunks = sorted(map(load_independent, sums), key=lambda chunk: chunk[0][0].begin)
    return stack_classes([merge_passes(of_class, passes) for of_class in zip(*chunks, strict=True)])


def write_numbers(result: PassesAttribution, output: Path | str, *, name: str, keys: Sequence[str] = ANY) -> None:
    """Write what the report says of an explanation of passes.

    Keys, each behind ``passes.<name>.``: ``passes``; and for each picture, counted from 0, behind ``<picture>.``:
    ``count.<class>`` and ``counted``, their sum, ``entropy``, ``expected_entropy`` and ``mutual_information`` (nats),
    ``variation`` (share of the passes that do not predict the most frequent class); for an explanation of one score
    ``score`` and ``sum`` (of the mean map), of all classes ``score.<class>`` and ``sum.<class>``; where there is a
    covariance map, also ``variance`` and ``covariance_sum`` in the same way. For all classes also ``positive``, the
    number of classes whose mean score is positive, and of the class that is ``seen`` without dropout and noise
    ``covariance_share``, the sum of its covariance map in percent of the variance.
    """
    source = f"pass_attributions/{name}.h5"
    numbers = {"passes": entry(result.passes, source=source)}
    for place in range(len(result.counts)):
        for key, value in _of_picture(result, place).items():
            whole = isinstance(value, int)
            unit = "%" if key in ("variation", "covariance_share") else ""
            found = entry(value, source=source) if whole else entry(value, digits=3, unit=unit, source=source)
            numbers[f"{place}.{key}"] = found
    write_part(output, {f"passes.{name}.{key}": value for key, value in numbers.items()}, keys=keys)


def _of_picture(result: PassesAttribution, place: int) -> dict[str, float | int]:
    found: dict[str, float | int] = {f"count.{k}": int(n) for k, n in enumerate(result.counts[place])}
    found["counted"] = int(result.counts[place].sum())
    found["entropy"] = float(result.predictive_entropy[place])
    found["expected_entropy"] = float(result.expected_entropy[place])
    found["mutual_information"] = float(result.mutual_information[place])
    found["variation"] = 100 * float(result.variation_ratio[place])
    quantities = {"score": result.score_mean, "sum": _sum_of_map(result.mean, result.score_mean)}
    if result.covariance is not None and result.score_variance is not None:
        quantities["variance"] = result.score_variance
        quantities["covariance_sum"] = _sum_of_map(result.covariance, result.score_mean)
    for key, values in quantities.items():
        if values.dim() == 1:
            found[key] = float(values[place])
        else:
            found |= {f"{key}.{k}": float(value) for k, value in enumerate(values[place])}
    if result.score_mean.dim() == 2:
        found["positive"] = int((result.score_mean[place] > 0).sum())
        found["seen"] = seen = int(result.undisturbed[place].argmax())
        if found.get(f"variance.{seen}"):
            found["covariance_share"] = 100 * found[f"covariance_sum.{seen}"] / found[f"variance.{seen}"]
    return found


def _sum_of_map(maps: Tensor, scores: Tensor) -> Tensor:
    """Sums ``(N,)`` or ``(N, T)`` of maps with further axes."""
    return maps.double().flatten(scores.dim()).sum(dim=-1)
