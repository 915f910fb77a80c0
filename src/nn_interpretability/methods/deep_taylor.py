"""Deep Taylor decomposition."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from nn_interpretability.engine.bounds import Bound
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.lrp import LRP, Stabilization
from nn_interpretability.targets import ResolvedTarget, Target


class DeepTaylor(LRP):
    r"""A Taylor expansion of each unit's relevance at a root point of its own, from the output to the images.

    .. math:: R_j = \sum_k \frac{(a_j w_{jk})^+}{\sum_{j'} (a_{j'} w_{j'k})^+} R_k

    in hidden layers (the z+ rule, root points among activations that are not negative), and at the images the z-box
    rule where pixels have bounds, else the w-squared rule. It starts from :math:`\max(0, S_c)`: where a score is not
    positive there is nothing to decompose, the map is zero, and a warning says so. No pixel gets a negative value.

    Parameters
    ----------
    model
        The classifier, of ReLUs.
    input_bounds
        Lowest and highest value that a pixel can take: two numbers, or two sequences of one number per channel. None
        for pixels without bounds.
    bias
        ``"ignore"``: the biases take no part, as in the paper. ``"absorb"``: their positive part counts in the
        denominators and keeps its share (which is alpha1-beta0, and what the 2020 study calls deep Taylor).
    stabilizer, pooling, layer, trace, strict
        As for :class:`~nn_interpretability.methods.lrp.LRP`.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    Notes
    -----
    The root points presume biases that are not positive. The map of a class depends on the other classes' weights
    little (Sixt, Granz and Landgraf 2020: chains of z+ converge to rank one), and root points that depend on the image
    could justify any map (Sixt and Landgraf 2022).

    References
    ----------
    Montavon, Lapuschkin, Binder, Samek and Mueller 2017, Explaining nonlinear classification decisions with deep Taylor
    decomposition.
    """

    name: ClassVar[str] = "deep_taylor"
    linear = False  # it starts from the positive part

    def __init__(
        self,
        model: nn.Module,
        *,
        input_bounds: tuple[Bound, Bound] | Sequence[Bound] | None = None,
        bias: Literal["ignore", "absorb"] = "ignore",
        stabilizer: Stabilization | None = None,
        pooling: Literal["winner", "proportional"] = "winner",
        layer: str | None = None,
        trace: bool = False,
        strict: bool = False,
    ) -> None:
        if bias not in ("ignore", "absorb"):
            raise ConfigError(f"bias={bias!r} is not allowed: choose 'ignore' or 'absorb'.")
        super().__init__(
            model,
            rule="z_plus" if bias == "ignore" else "alpha_beta",
            alpha=1.0,
            beta=0.0,
            bias=bias,
            stabilizer=stabilizer,
            input_rule="w2" if input_bounds is None else "z_box",
            input_bounds=input_bounds,
            pooling=pooling,
            layer=layer,
            trace=trace,
            strict=strict,
        )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        own = ("input_bounds", "bias", "stabilizer", "pooling", "layer")
        return {name: value for name, value in super().parameters.items() if name in own}

    def _resolve(self, target: Target, output: Tensor) -> ResolvedTarget:
        resolved = super()._resolve(target, output)
        positive = resolved.scores > 0
        if not bool(positive.all()):
            images = (~positive).any(dim=0).nonzero().flatten().tolist()
            warnings.warn(
                f"Deep Taylor decomposition starts from max(0, score): for {int((~positive).sum())} of "
                f"{positive.numel()} explained scores (images {images[:10]}) it is not positive, and the map is 0.",
                stacklevel=4,
            )
        starts = resolved.starts * positive[:, :, None].to(resolved.starts)
        return replace(resolved, starts=starts, scores=resolved.scores.clamp(min=0))
