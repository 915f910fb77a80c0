"""The result of an explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nn_interpretability.engine.trace import PARTS, ConservationTrace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TINY = 1e-12


@dataclass(frozen=True)
class Attribution:
    """A heat map for each image, with what is needed to judge it.

    Attributes
    ----------
    values
        Attribution of each input value, of the shape and dtype of the images ``(N, C, H, W)``; for ``target="all"``
        ``(N, K, C, H, W)``. C is 1 for methods that give one value per pixel or place, not per channel; what was read
        at a layer has the shape of its output. In units of the score for methods that distribute it, score per input
        unit for gradients.
    score
        The explained score of each image (for ``"all"``: of each class), float64, shape ``(N,)`` or ``(N, K)``.
    logits
        All scores of the model, shape ``(N, K)``.
    target
        Class of each image, shape ``(N,)``; None where the target was not one class per image.
    conserving
        Whether the method means its values to sum to the score.
    method, parameters
        Name and hyper-parameters of the method.
    target_description
        How the target was chosen.
    coverage
        Which operations of the model had a rule: see :class:`~nn_interpretability.engine.coverage.Coverage`.
    reference
        The reference (baseline) the score is measured from, of the shape of the images; ``(N, M, C, H, W)`` for the
        mean over M references; None for methods without one.
    multipliers
        Attribution per unit of difference from the reference, of the shape of ``values``, for methods that have it.
    trace
        The conservation trace of LRP, where it was asked for.
    details
        What else the method found, by name; each method says what. The first axis counts images, and for
        ``target="all"`` the second one classes, where a detail depends on the class.
    variance
        For methods that average over noise: the variance of the maps that were averaged, of the shape of ``values``.
    """

    values: Tensor
    score: Tensor
    logits: Tensor
    target: Tensor | None
    conserving: bool
    method: str
    parameters: Mapping[str, Any]
    target_description: str
    coverage: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    reference: Tensor | None = None
    multipliers: Tensor | None = None
    trace: ConservationTrace | None = None
    details: Mapping[str, Tensor] = field(default_factory=dict)
    variance: Tensor | None = None

    @property
    def total(self) -> Tensor:
        """Sum of the values over each map, float64, of the shape of ``score``."""
        return self.values.double().flatten(self.score.dim()).sum(dim=-1).cpu()

    @property
    def completeness_error(self) -> Tensor | None:
        r"""How far the maps are from summing to the score, :math:`|\sum R - f| / |f|`, of the shape of ``score``.

        None for a method that does not distribute the score.
        """
        if not self.conserving:
            return None
        score = self.score.cpu()
        return (self.total - score).abs() / score.abs().clamp(min=_TINY)

    def __repr__(self) -> str:
        """One line: what was explained, and the size of the maps, not their values."""
        lowest, highest = (float(end) for end in self.score.aminmax())
        gap = self.completeness_error
        facts = [
            f"{self.method} of {self.target_description}",
            f"values {tuple(self.values.shape)} {self.values.dtype} on {self.values.device}",
            f"score {lowest:.4g}" if lowest == highest else f"scores {lowest:.4g} to {highest:.4g}",
            "" if gap is None else f"completeness_error <= {float(gap.max()):.2g}",
        ]
        return f"<Attribution: {', '.join(fact for fact in facts if fact)}>"

    def save(self, path: str | Path) -> None:
        """Write to an HDF5 file; see :mod:`nn_interpretability.storage.attribution_file`."""
        from nn_interpretability.storage.attribution_file import save_attribution

        save_attribution(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Attribution:
        """Read what :meth:`save` wrote."""
        from nn_interpretability.storage.attribution_file import load_attribution

        return load_attribution(path)

    def plot(self, images: Tensor | None = None, class_names: Sequence[str] | None = None) -> Figure:
        """Draw the maps side by side, on one scale with zero in the middle; titled by the class, and its name."""
        # By its name, so that the digest of an attribution job's code does not cover drawing.
        drawing = import_module("nn_interpretability.plotting.attribution_plot")
        figure: Figure = drawing.plot_attribution(self, images, class_names)
        return figure


def concatenate(parts: list[Attribution]) -> Attribution:
    """Attributions of consecutive batches as one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return Attribution(
        values=torch.cat([part.values for part in parts]),
        score=torch.cat([part.score for part in parts]),
        logits=torch.cat([part.logits for part in parts]),
        target=None if first.target is None else torch.cat([p.target for p in parts if p.target is not None]),
        conserving=first.conserving,
        method=first.method,
        parameters=first.parameters,
        target_description=first.target_description,
        coverage=joined_coverage([part.coverage for part in parts]),
        reference=_concatenate_tensors([part.reference for part in parts]),
        multipliers=_concatenate_tensors([part.multipliers for part in parts]),
        trace=_concatenate_traces([part.trace for part in parts]),
        details={name: torch.cat([part.details[name] for part in parts]) for name in first.details},
        variance=_concatenate_tensors([part.variance for part in parts]),
    )


def joined_coverage(batches: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, Mapping[str, int]]:
    """What any batch met, with the count of the first batch that met it."""
    joined: dict[str, Mapping[str, int]] = {}
    for coverage in reversed(batches):
        for kind, found in coverage.items():
            joined[kind] = {**joined.get(kind, {}), **found}
    return joined


def _concatenate_tensors(tensors: list[Tensor | None]) -> Tensor | None:
    present = [tensor for tensor in tensors if tensor is not None]
    return torch.cat(present) if present else None


def _concatenate_traces(traces: list[ConservationTrace | None]) -> ConservationTrace | None:
    present = [trace for trace in traces if trace is not None]
    if not present:
        return None
    joined = {part: torch.cat([getattr(trace, part) for trace in present], dim=1) for part in PARTS}
    rest = torch.cat([trace.unaccounted for trace in present])
    return ConservationTrace(present[0].layers, present[0].rules, unaccounted=rest, **joined)
