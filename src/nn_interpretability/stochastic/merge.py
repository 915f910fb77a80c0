"""Merge chunks of passes."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nn_interpretability.errors import DataError
from nn_interpretability.stochastic.chunks import AttributedPasses, DrawnPasses
from nn_interpretability.stochastic.result import PassesAttribution
from nn_interpretability.stochastic.sampler import differing

_ROUNDING = 1e-3  # of the largest score: what processors may differ by
_SELF = ("method", "parameters", "target", "products", "keep_raw")


class Merge:
    """Adds chunks up, one by one, in the order of passes; memory does not grow with their number but for scores.

    Parameters
    ----------
    passes
        How many passes there should be in the end; None for as many as come.
    strict_device
        Refuse chunks of different kinds of processor. Else they are merged, with a warning, and the coverage log of the
        result says which there were.
    """

    def __init__(self, passes: int | None = None, *, strict_device: bool = False) -> None:
        self._expected, self._end = passes, 0
        self._strict_device = strict_device
        self._devices: Counter[str] = Counter()
        self._same_bits = True
        self._identity: Mapping[str, Any] | None = None
        self._sums: dict[str, Tensor] = {}
        self._logits: list[Tensor] = []
        self._raw: list[Tensor] = []
        self._scores: list[Tensor] = []
        self._undisturbed: Tensor | None = None
        self._last: AttributedPasses | None = None

    def add(self, drawn: DrawnPasses, attributed: AttributedPasses) -> None:
        """The next chunk.

        Raises
        ------
        DataError
            If it does not follow on the last one, or belongs to other weights, images, seeds, methods or parameters.
        """
        name = f"The chunk of the passes {drawn.begin} to {drawn.end}"
        if (drawn.begin, drawn.end) != (attributed.begin, attributed.end):
            raise DataError(
                f"{name} comes with an attribution of the passes {attributed.begin} to {attributed.end}: give the "
                "attribution of the same passes."
            )
        own = {key: value for key, value in attributed.identity.items() if key not in _SELF}
        if wrong := differing(own, drawn.identity):
            raise DataError(f"{name} was explained with other {' and other '.join(wrong)} than it was drawn with.")
        if self._identity is not None and (wrong := differing(attributed.identity, self._identity)):
            raise DataError(f"{name} was made with other {' and other '.join(wrong)} than the chunks before it.")
        self._fits(drawn, attributed, name)
        self._follows(drawn, name)
        self._identity, self._undisturbed, self._end = attributed.identity, drawn.undisturbed, drawn.end
        for product, sums in attributed.sums.items():
            total = self._sums.setdefault(product, torch.zeros_like(sums[0]))
            for one in sums:
                total += one
        self._logits.append(drawn.logits)
        self._scores.append(attributed.scores)
        if attributed.raw is not None:
            self._raw.append(attributed.raw)
        self._last = attributed

    def _fits(self, drawn: DrawnPasses, attributed: AttributedPasses, name: str) -> None:
        """Scores without randomness are the same in all chunks, to rounding if processors differ."""
        self._devices.update([drawn.device, attributed.device])
        if self._last is not None and self._undisturbed is not None:
            for found, expected in ((drawn.undisturbed, self._undisturbed), (attributed.base, self._last.base)):
                gap = float((found - expected).abs().max()) if found.shape == expected.shape else math.inf
                if gap > _ROUNDING * float(expected.abs().max()):
                    raise DataError(f"{name} has other scores without dropout and noise than the chunks before it.")
                self._same_bits &= gap == 0  # processors of one name may still round differently
        if self._strict_device and not (self._same_bits and len(self._devices) == 1):
            raise DataError(f"{name} was made on another kind of processor: {', '.join(sorted(self._devices))}.")

    def _follows(self, drawn: DrawnPasses, name: str) -> None:
        block = drawn.identity["block"]
        if drawn.begin > self._end:
            raise DataError(f"The passes {self._end} to {drawn.begin} are missing: draw and explain them.")
        if drawn.begin < self._end:
            raise DataError(f"{name} overlaps with the passes before {self._end}: leave one of the two out.")
        if drawn.begin % block:
            raise DataError(f"{name} does not begin with a block of {block}: the chunk before it ends too early.")

    def result(self) -> PassesAttribution:
        """The result for all chunks.

        Raises
        ------
        DataError
            If there are none, or passes are missing at the end.
        """
        last, undisturbed = self._last, self._undisturbed
        if last is None or undisturbed is None or self._identity is None:
            raise DataError("There are no chunks of passes to merge.")
        if self._expected is not None and self._end != self._expected:
            missing = f"The passes {self._end} to {self._expected} are missing: draw and explain them."
            raise DataError(
                missing if self._end < self._expected else f"There are {self._end} passes, not {self._expected}."
            )
        raw = torch.cat(self._raw) if self._raw else None
        found = assemble(torch.cat(self._logits), undisturbed, self._sums, torch.cat(self._scores), raw, last)
        if len(self._devices) > 1 or not self._same_bits:
            warnings.warn(
                f"The passes were computed on {max(len(self._devices), 2)} kinds of processor, so their bits depend on "
                f"which job ran where: {', '.join(sorted(self._devices))}.",
                stacklevel=2,
            )
        return replace(found, coverage={**found.coverage, "devices": dict(sorted(self._devices.items()))})


def merge_passes(
    chunks: Iterable[tuple[DrawnPasses, AttributedPasses]], passes: int | None = None, *, strict_device: bool = False
) -> PassesAttribution:
    """Merge chunks that come in any order; see :class:`Merge`.

    Raises
    ------
    DataError
        If they do not tile the passes from 0, or do not belong together.
    """
    merge = Merge(passes, strict_device=strict_device)
    for drawn, attributed in sorted(chunks, key=lambda chunk: (chunk[0].begin, chunk[0].end)):
        merge.add(drawn, attributed)
    return merge.result()


def stack_classes(found: Sequence[PassesAttribution]) -> PassesAttribution:
    """One result from those of all classes, where each class has masks of its own (Algorithm 1 as published in 2020).

    ``counts[:, c]`` are the passes of class c that predict c: they come from other passes for each class, and need not
    sum to the number of passes.

    Parameters
    ----------
    found
        By class, each explained for that class alone.
    """
    stacked: dict[str, Any] = {
        name: torch.stack([getattr(each, name) for each in found], dim=1)
        for name in ("mean", "covariance", "variance", "score_mean", "score_variance")
        if getattr(found[0], name) is not None
    }
    raw = [each.raw for each in found if each.raw is not None]
    return replace(
        found[0],
        **stacked,
        counts=torch.stack([each.counts[:, c] for c, each in enumerate(found)], dim=1),
        by_predicted_class=None,
        target_by_predicted_class=None,
        logits=torch.stack([each.logits for each in found]),
        raw=None if not raw else torch.stack(raw, dim=2),
        target=None,
    )


def assemble(
    logits: Tensor,
    undisturbed: Tensor,
    sums: Mapping[str, Tensor],
    scores: Tensor,
    raw: Tensor | None,
    last: AttributedPasses,
) -> PassesAttribution:
    """Means from sums over all passes."""
    passes, classes = len(logits), logits.shape[-1]
    predicted = logits.argmax(dim=-1)
    counts = torch.stack([(predicted == k).sum(dim=0) for k in range(classes)], dim=1)
    maps = {"mean": sums["mean"] / passes}
    score_mean = scores.mean(dim=0)
    score_variance = scores.var(dim=0, correction=0) if last.fixed else None
    if "covariance" in sums:
        change = _along(score_mean - last.base, maps["mean"])
        maps["covariance"] = sums["covariance"] / passes - change * maps["mean"]
    if "squares" in sums:
        deviation = sums["deviations"] / passes
        maps["variance"] = (sums["squares"] / passes - deviation.square()).clamp(min=0)
    if not last.stacked:
        maps = {name: values[:, 0] for name, values in maps.items()}
        score_mean, score_variance = score_mean[:, 0], None if score_variance is None else score_variance[:, 0]
        raw = None if raw is None else raw[:, :, 0]
    for name in ("by_predicted_class", "target_by_predicted_class"):
        if name in sums:
            maps[name] = sums[name] / _along(counts.double().clamp(min=1), sums[name])
    return PassesAttribution(
        counts=counts,
        logits=logits,
        undisturbed=undisturbed,
        score_mean=score_mean,
        score_variance=score_variance,
        target=last.classes,
        block=last.identity["block"],
        raw=raw,
        identity=last.identity,
        coverage=last.coverage,
        **{name: values.to(logits.dtype) for name, values in maps.items()},
    )


def _along(values: Tensor, maps: Tensor) -> Tensor:
    """One value for each map, in a form that broadcasts against the maps."""
    return values.reshape(*values.shape, *([1] * (maps.dim() - values.dim())))
