"""Class activation mapping."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from nn_interpretability.engine.coverage import Coverage
from nn_interpretability.engine.forward import Forward
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.class_map import ClassMap
from nn_interpretability.rules.gap_head import GapHeadFinder


class CAM(ClassMap):
    r"""Class activation mapping, for nets that end in global average pooling and a linear layer.

    .. math:: M_c = \sum_k w_{ck} f_k, \qquad S_c = \frac{1}{hw} \sum_{u,v} M_c(u, v) + b_c

    with the feature maps :math:`f_k` that are pooled and the weights :math:`w` of the linear layer, then drawn out to
    the size of the images. The values are not normalised. ``details["raw_map"]`` is :math:`M_c` at the size of the
    feature maps, ``(N, h, w)`` or ``(N, K, h, w)``. For a net that ends in the pooling itself, :math:`M_c = f_c`.

    The feature maps and the weights are found in the forward pass, so that nothing need be named. A net of another kind
    gets such a head, to be trained, by :func:`~nn_interpretability.models.gap_head.with_gap_head`.

    Parameters
    ----------
    model
        The classifier.
    upsampling, align_corners
        See :class:`~nn_interpretability.methods.class_map.ClassMap`.

    Raises
    ------
    ConfigError
        If the model does not end so.

    References
    ----------
    Zhou, Khosla, Lapedriza, Oliva and Torralba 2016, Learning deep features for discriminative localization.
    """

    name: ClassVar[str] = "cam"

    def _forward(self, images: Tensor) -> Forward:
        return _WithHead(self.model, images)

    def _map(self, forward: Forward, start: Tensor, *, last: bool) -> Tensor:
        assert isinstance(forward, _WithHead)
        weights = start if forward.weight is None else start @ forward.weight
        if forward.factor is not None:
            weights = weights * forward.factor
        return torch.einsum("nk,nkyx->nyx", weights, forward.features)


class _WithHead(Forward):
    """A forward pass that knows the feature maps pooled at its end and the weights of the linear layer behind them."""

    def __init__(self, model: nn.Module, images: Tensor) -> None:
        finder = GapHeadFinder()
        super().__init__(model, images, finder)
        self.coverage = Coverage()  # only the values of the forward pass are used, for which no rule is needed
        head = finder.head_of(self._output)
        if head is None:
            raise ConfigError(
                f"CAM needs a model that ends in global average pooling and one linear layer; {type(model).__name__} "
                "does not. GradCAM explains it at any convolutional layer, and with_gap_head(model) gives it such an "
                "end, to be trained."
            )
        self.features, self.weight, self.factor = head.features, head.weight, head.factor
