"""c15: a high softmax output does not mean that the network is certain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.claims.context import Context, NotRun
from nn_interpretability.claims.dropout_passes import by_angle, passes_of_turned
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, values_of
from nn_interpretability.claims.statistics import estimate
from nn_interpretability.stochastic.information import mutual_information
from nn_interpretability.storage.hdf5 import Array

FloatArray = NDArray[np.float64]


def measure(context: Context, rule: Rule) -> Measured:
    """Largest softmax without dropout, and mutual information over passes, of each picture at each angle."""
    angles = rule.parameters["angles"]
    softmax, information = [], []
    for drawn in passes_of_turned(context, "dropout_cnn", angles):
        softmax.append(by_angle(drawn.undisturbed.double().softmax(-1).amax(-1), len(angles)))
        information.append(by_angle(mutual_information(drawn.logits.double()), len(angles)))
    high = np.stack(softmax) >= rule.parameters["softmax"]
    for each in high:
        if each.all() or not each.any():
            raise NotRun(
                f"{'every' if each.all() else 'no'} picture has a softmax of {rule.parameters['softmax']:g} or more."
            )
    dims = ("seed", "image", "angle")
    return {"softmax": Array(np.stack(softmax), dims), "mutual_information": Array(np.stack(information), dims)}


def uncertain_share(values: FloatArray, level: float) -> float:
    """Of those with a high softmax, the share that is as uncertain as the middle one of the others; mean over seeds.

    Parameters
    ----------
    values
        Shape ``(seed, image, angle, 2)``: softmax, mutual information.
    level
        What a high softmax is. A seed without high ones, or without others, counts as 0.
    """
    shares = []
    for softmax, information in np.moveaxis(values, -1, 1):
        high = softmax >= level
        both = high.any() and not high.all()
        shares.append(float(np.mean(information[high] > np.median(information[~high]))) if both else 0.0)
    return float(np.mean(shares))


def decide(measured: Measured, rule: Rule) -> Finding:
    """More than a small share of those with a high softmax must be uncertain."""
    softmax, information = (values_of(measured, name) for name in ("softmax", "mutual_information"))
    level, share = rule.parameters["softmax"], rule.parameters["share"]
    high = softmax >= level
    found = estimate(np.stack([softmax, information], axis=-1), lambda values: uncertain_share(values, level))
    middle = {name: float(np.median(information[where])) for name, where in (("high", high), ("low", ~high))}
    return Finding(
        [above(f"share of uncertain ones with a softmax of {level:g}", found, share)],
        images=softmax.shape[1],
        seeds=softmax.shape[0],
        numbers={
            "share_with_high_softmax": float(high.mean()),
            "median_information_high": middle["high"],
            "median_information_low": middle["low"],
            "largest_information_high": float(information[high].max()),
        },
        note=(
            f"{100 * high.mean():.0f} % of the pictures have such a softmax; their median mutual information is "
            f"{middle['high']:.3f} nat, that of the others {middle['low']:.3f}."
        ),
    )
