"""Integrated gradients."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.methods.base import Method
from nn_interpretability.methods.path import path_integral, scores_at
from nn_interpretability.methods.quadrature import Quadrature, quadrature_points
from nn_interpretability.methods.references import (
    Reference,
    checked_reference,
    described,
    reference_for,
    reference_of_samples,
)
from nn_interpretability.targets import Target


class IntegratedGradients(Method):
    r"""The mean gradient on the straight line from a reference to the image, times their difference.

    .. math:: R_i = (x_i - x'_i) \int_0^1 \frac{\partial F(x' + t (x - x'))}{\partial x_i} \, dt

    The values sum to :math:`F(x) - F(x')`, which is the ``score`` of the result; ``completeness_error`` says what the
    finite number of points leaves of that. The class is decided once, at the image; a function of the scores is
    differentiated at every point. ``Attribution.reference`` holds the references.

    Parameters
    ----------
    model
        The classifier.
    reference
        :math:`x'`: one number, one number per channel, one image, or one for each explained image. Black is 0 only
        where pixels are not normalised; else it is ``(0 - mean) / std`` of each channel.
    steps
        Number of points.
    quadrature
        ``"midpoint"``, which is robust where the gradient jumps, ``"trapezoid"``, ``"left"``, ``"right"`` or
        ``"gauss_legendre"``; see :func:`~nn_interpretability.methods.quadrature.quadrature_points`.
    multiply_by_inputs
        False leaves the factor :math:`x_i - x'_i` out, as the 2020 study did: the mean gradient, which sums to nothing.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    References
    ----------
    Sundararajan, Taly and Yan 2017, Axiomatic attribution for deep networks.
    """

    name: ClassVar[str] = "integrated_gradients"

    def __init__(
        self,
        model: nn.Module,
        *,
        reference: Reference = 0.0,
        steps: int = 64,
        quadrature: Quadrature = "midpoint",
        multiply_by_inputs: bool = True,
    ) -> None:
        super().__init__(model)
        self._nodes, self._weights = quadrature_points(quadrature, steps)
        self._reference = checked_reference(reference)
        self._given = reference
        self._quadrature = quadrature
        self.conserving = multiply_by_inputs

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {
            "reference": described(self._given),
            "steps": len(self._nodes),
            "quadrature": self._quadrature,
            "multiply_by_inputs": self.conserving,
        }

    def for_samples(self, index: Tensor, images: Tensor) -> Self:
        """The same method for some of the images, with their references."""
        chosen = copy.copy(self)
        chosen._reference = reference_of_samples(self._reference, index, images)
        return chosen

    def origins(self, images: Tensor) -> Sequence[Tensor]:
        """The reference."""
        return [reference_for(self._reference, images)]

    def explain(self, images: Tensor, target: Target, chunk: int | None) -> Attribution:
        """Integrate for one batch."""
        reference = reference_for(self._reference, images)
        forward = self._forward(images)
        forward.release()
        resolved = self._resolve(target, forward.output)
        integral = path_integral(
            self.model,
            images,
            resolved,
            reference_at=lambda _: reference,
            nodes=self._nodes,
            weights=self._weights,
            multiply=self.conserving,
            chunk=chunk,
        )
        change = resolved.scores - resolved.at(scores_at(self.model, reference, chunk)).scores
        score = change.T if resolved.stacked else change[0]
        return self._result(forward, resolved, integral.to(images.dtype), score=score, reference=reference.clone())

    def _read(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        raise AssertionError("the integral is read along the path")
