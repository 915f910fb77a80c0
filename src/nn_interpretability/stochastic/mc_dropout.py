"""Monte Carlo dropout around any method."""

from __future__ import annotations

from collections.abc import Sequence

from nn_interpretability.methods.base import Method
from nn_interpretability.stochastic.passes import BLOCK
from nn_interpretability.stochastic.repeated import PASSES, PRODUCTS, Repeated
from nn_interpretability.stochastic.sampler import Dropout, Randomness


class MCDropout(Repeated):
    r"""Explain a model many times with its dropout on.

    Every dropout of the model is active, whatever its training flag, by module or function; everything else, batch norm
    above all, is in evaluation mode. The masks of pass i depend on (seed, ordinal of the dropout in the forward pass,
    i) alone: in pass i all images, all target classes, all methods, and an image and its reference see the same masks.
    Relevance passes unchanged to the units that are kept, without the factor :math:`1 / (1 - p)`.

    >>> cloud = MCDropout(LRP(model), passes=1000, seed=0).interpret(image, target="all")  # doctest: +SKIP
    >>> cloud.mean, cloud.covariance, cloud.by_predicted_class, cloud.mutual_information  # doctest: +SKIP

    Parameters
    ----------
    method
        The method, for example ``LRP(model)``.
    passes
        Number of passes.
    seed
        Of the masks, 0 to 2**64 - 1.
    chunk
        Passes between two merges, a multiple of ``block``; changes nothing in the result, not in a bit.
    block
        Passes that are computed together; part of the result's bits, and what bounds memory for large images.
    products, keep_raw
        ``"mean"``, ``"covariance"``, ``"by_predicted_class"`` and ``"target_by_predicted_class"`` need only sums;
        ``"variance"`` and the maps of the first ``keep_raw`` passes need the map of each pass, which takes longer.
    independent_masks
        For ``target="all"``: other masks for each class, as the 2020 study published Algorithm 1.
    stochastic_depth
        Treat stochastic depth as dropout of whole branches, too; else it stays off, and the coverage log names it.

    Raises
    ------
    ConfigError
        If a value is not allowed.

    References
    ----------
    Gal and Ghahramani 2016, Dropout as a Bayesian approximation. Bley, Lapuschkin, Samek and Montavon 2024, Explaining
    predictive uncertainty by exposing second-order effects (CovLRP: ``covariance`` has the row sums of its matrix, for
    methods that are complete in every pass).
    """

    def __init__(
        self,
        method: Method,
        *,
        passes: int = PASSES,
        seed: int = 0,
        chunk: int | None = None,
        block: int = BLOCK,
        products: Sequence[str] = PRODUCTS,
        keep_raw: int = 0,
        independent_masks: bool = False,
        stochastic_depth: bool = False,
    ) -> None:
        super().__init__(
            method,
            Randomness(dropout=Dropout(seed, bool(stochastic_depth))),
            passes=passes,
            block=block,
            chunk=chunk,
            products=products,
            keep_raw=keep_raw,
            independent_masks=independent_masks,
        )
