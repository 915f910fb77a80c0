"""Grad-CAM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from nn_interpretability.engine.forward import Forward
from nn_interpretability.engine.layers import layer_of
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.class_map import ClassMap, Upsampling


class GradCAM(ClassMap):
    r"""Gradient-weighted class activation mapping, at any convolutional layer.

    .. math:: L = \mathrm{ReLU}\Bigl(\sum_k \alpha_k A_k\Bigr), \qquad
              \alpha_k = \frac{1}{hw} \sum_{u,v} \frac{\partial S_c}{\partial A_{kuv}}

    with the feature maps :math:`A_k` of the layer, then drawn out to the size of the images. The values are not
    normalised, and do not sum to the score. ``details["raw_map"]`` is the weighted sum before the ReLU, at the size of
    the feature maps, ``(N, h, w)`` or ``(N, K, h, w)``. For a net that ends in global average pooling and a linear
    layer, it is at the pooled layer that of :class:`~nn_interpretability.methods.cam.CAM` divided by :math:`hw`.

    Parameters
    ----------
    model
        The classifier.
    layer
        Dotted name of a layer that returns feature maps and runs once in a forward pass. Usual: the last activation
        before the feature maps are pooled or flattened.
    upsampling, align_corners
        See :class:`~nn_interpretability.methods.class_map.ClassMap`.
    relu
        False keeps negative values.

    Raises
    ------
    ConfigError
        If there is no such layer (the message names those there are), or it does not run exactly once, or returns no
        feature maps.

    References
    ----------
    Selvaraju et al. 2016, Grad-CAM: visual explanations from deep networks via gradient-based localization.
    """

    name: ClassVar[str] = "grad_cam"

    def __init__(
        self,
        model: nn.Module,
        *,
        layer: str,
        upsampling: Upsampling = "bilinear",
        align_corners: bool = False,
        relu: bool = True,
    ) -> None:
        super().__init__(model, upsampling=upsampling, align_corners=align_corners)
        layer_of(model, layer)
        if not isinstance(relu, bool):
            raise ConfigError(f"relu={relu!r} is not allowed: give True or False.")
        self._layer, self._relu = layer, relu

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {"layer": self._layer, **super().parameters, "relu": self._relu}

    def _forward(self, images: Tensor) -> Forward:
        forward = Forward(self.model, images, layer=self._layer)
        (maps,) = forward.leaves
        if maps.dim() != 4:
            raise ConfigError(
                f"The layer {self._layer!r} returns the shape {tuple(maps.shape)}, not feature maps (samples, "
                "channels, height, width): name a convolution, or an activation or a pooling behind one."
            )
        return forward

    def _read(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        weights = gradients[0].mean(dim=(2, 3), keepdim=True)
        return (weights * leaves[0]).sum(dim=1)

    def _enlarged(self, maps: Tensor, images: Tensor) -> Tensor:
        return super()._enlarged(maps.clamp(min=0) if self._relu else maps, images)
