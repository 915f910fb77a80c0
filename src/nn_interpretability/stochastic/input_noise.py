"""Noise on the input around any method, with or without Monte Carlo dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import Method
from nn_interpretability.stochastic.mc_dropout import MCDropout
from nn_interpretability.stochastic.passes import BLOCK
from nn_interpretability.stochastic.repeated import PASSES, PRODUCTS, Repeated
from nn_interpretability.stochastic.sampler import Noise, Randomness, Scale


class InputNoise(Repeated):
    r"""Explain many noisy copies :math:`x + \sigma \varepsilon` of an image, each for what it is.

    A map is that of the noisy copy, and a pass predicts the class of its copy: unlike SmoothGrad, which explains one
    class decided on the clean image. The noise of pass i depends on (seed, i) alone, so that nets can be compared under
    the same noise. ``InputNoise(MCDropout(DeepLIFT(model)), sigma=0.5)`` has noise and dropout in every pass.

    Parameters
    ----------
    method
        A method, or one in :class:`~nn_interpretability.stochastic.mc_dropout.MCDropout`, whose settings then hold for
        what is left out here.
    sigma
        Noise level, >= 0, in units of ``scale``.
    scale
        ``"absolute"``: units of the pixels; ``"range"`` or ``"std"``: of each image.
    clip
        Lowest and highest value of a noisy pixel, for methods that need bounds; None for no limit.
    passes, seed, chunk, block, products, keep_raw, independent_masks
        As for :class:`~nn_interpretability.stochastic.mc_dropout.MCDropout`; the seed is that of the noise.

    Raises
    ------
    ConfigError
        If a value is not allowed, or is not that of the dropout around the method.
    """

    def __init__(
        self,
        method: Method | MCDropout,
        *,
        sigma: float,
        scale: Scale = "absolute",
        clip: tuple[float, float] | None = None,
        passes: int | None = None,
        seed: int = 0,
        chunk: int | None = None,
        block: int | None = None,
        products: Sequence[str] | None = None,
        keep_raw: int | None = None,
        independent_masks: bool | None = None,
    ) -> None:
        noise = Noise(sigma, scale, seed, None if clip is None else (float(clip[0]), float(clip[1])))
        given = {
            "passes": passes,
            "block": block,
            "chunk": chunk,
            "products": None if products is None else tuple(products),
            "keep_raw": keep_raw,
            "independent_masks": independent_masks,
        }
        if isinstance(method, MCDropout):
            inner: dict[str, Any] = {name: getattr(method, name) for name in given}
            super().__init__(method.method, replace(method.randomness, noise=noise), **_agreed(given, inner))
            return
        defaults = {"passes": PASSES, "block": BLOCK, "chunk": None, "products": PRODUCTS, "keep_raw": 0}
        defaults["independent_masks"] = False
        chosen = {name: defaults[name] if value is None else value for name, value in given.items()}
        super().__init__(method, Randomness(noise=noise), **chosen)  # type: ignore[arg-type]


def _agreed(given: dict[str, Any], inner: dict[str, Any]) -> dict[str, Any]:
    """The settings of the dropout, which the noise may repeat but not contradict."""
    for name, value in given.items():
        if value is not None and name in ("passes", "block") and value != inner[name]:
            raise ConfigError(
                f"{name}={value!r} for the noise and {name}={inner[name]!r} for the dropout: noise and dropout happen "
                "in the same passes, so give it once."
            )
    return {name: inner[name] if value is None else value for name, value in given.items()}
