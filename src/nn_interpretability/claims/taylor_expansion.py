"""Deep Taylor decomposition carried out literally, root points and all, for linear layers behind one another."""

from __future__ import annotations

import torch
from torch import Tensor


def taylor_step(activations: Tensor, weight: Tensor, relevance: Tensor) -> Tensor:
    r"""One step of deep Taylor decomposition, with the root point of each unit in its own right.

    The relevance of unit k as a function of its inputs is :math:`R_k(a) = c_k \max(0, \sum_j a_j w_{jk})`. The root
    point lies on the line from :math:`a` along :math:`-a_j 1[w_{jk} > 0]`, where the sum is 0. Input j gets the term
    of first order, :math:`\partial R_k / \partial a_j \, (a_j - \tilde a_j)`, summed over k.

    Parameters
    ----------
    activations
        Inputs of the layer, not negative, ``(n, inputs)``.
    weight
        Shape ``(units, inputs)``; the layer has no biases.
    relevance
        Of the units, ``(n, units)``; 0 where a unit's sum is not positive.

    Returns
    -------
    Tensor
        Relevance of the inputs, ``(n, inputs)``.

    References
    ----------
    Montavon, Lapuschkin, Binder, Samek and Mueller 2017, Explaining nonlinear classification decisions with deep Taylor
    decomposition, section 4.
    """
    sums = activations @ weight.mT
    active = sums > 0
    factor = torch.where(active, relevance / torch.where(active, sums, 1.0), 0.0)
    direction = activations[:, None] * (weight > 0)
    speed = (direction * weight).sum(dim=2)
    length = torch.where(active, sums / torch.where(active, speed, 1.0), 0.0)
    root = activations[:, None] - length[:, :, None] * direction
    return ((factor[:, :, None] * weight) * (activations[:, None] - root)).sum(dim=1)
