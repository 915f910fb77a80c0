"""Guided Grad-CAM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.methods.class_map import Upsampling
from nn_interpretability.methods.grad_cam import GradCAM
from nn_interpretability.methods.guided_backprop import GuidedBackprop
from nn_interpretability.targets import Target


class GuidedGradCAM(GradCAM):
    r"""Guided backpropagation, weighted by where Grad-CAM sees the class.

    .. math:: M = G_\text{guided} \odot \mathrm{upsample}(L)

    Fine as the first and specific to the class as the second; what is to be said against guided backpropagation holds
    here as well. ``details`` hold ``raw_map``, as for :class:`~nn_interpretability.methods.grad_cam.GradCAM`, and
    ``class_map``, the enlarged map, with one channel.

    Parameters
    ----------
    model, layer, upsampling, align_corners, relu
        As for :class:`~nn_interpretability.methods.grad_cam.GradCAM`.
    activations, strict
        As for :class:`~nn_interpretability.methods.guided_backprop.GuidedBackprop`.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    References
    ----------
    Selvaraju et al. 2016, Grad-CAM: visual explanations from deep networks via gradient-based localization.
    """

    name: ClassVar[str] = "guided_grad_cam"

    def __init__(
        self,
        model: nn.Module,
        *,
        layer: str,
        upsampling: Upsampling = "bilinear",
        align_corners: bool = False,
        relu: bool = True,
        activations: Literal["relu", "all"] = "relu",
        strict: bool = False,
    ) -> None:
        super().__init__(model, layer=layer, upsampling=upsampling, align_corners=align_corners, relu=relu)
        self._guided = GuidedBackprop(model, activations=activations, strict=strict)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {**super().parameters, **self._guided.parameters}

    def on(self, model: nn.Module) -> Self:
        """The same method for a variant of its model."""
        chosen = super().on(model)
        chosen._guided = self._guided.on(model)
        return chosen

    def explain(self, images: Tensor, target: Target, chunk: int | None) -> Attribution:
        """Explain one batch; see :meth:`~nn_interpretability.methods.base.Method.explain`."""
        where = super().explain(images, target, chunk)
        fine = self._guided.explain(images, target, chunk)
        details = {**where.details, "class_map": where.values}
        return replace(where, values=fine.values * where.values, coverage=fine.coverage, details=details)

    def _warn(self, result: Attribution, *, stacklevel: int) -> None:
        self._guided._warn(result, stacklevel=stacklevel + 1)
