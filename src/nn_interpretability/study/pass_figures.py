"""Figures 18, 19, 22 and 23, and maps of uncertainty, from merged passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.data.view import view_of
from nn_interpretability.errors import ConfigError
from nn_interpretability.plotting import scale
from nn_interpretability.plotting.data import Block, MapRow, PanelGroup
from nn_interpretability.plotting.scatter_data import PassScatter
from nn_interpretability.storage.hdf5 import Product
from nn_interpretability.study.rows import (
    CORRECTED,
    PUBLISHED,
    class_heads,
    description_of,
    pictures_of,
    relative,
    row_of,
    short_names,
    sized,
    sum_of_channels,
)

Floats = NDArray[np.float64]

SHOWN_CLASSES = 3
MOST_CLASSES = 20
"""So many maps fit beside each other."""
RULE = (
    "The limit is the median, over the rows and of logarithms, of the 99.5 % quantile of the absolute values of the "
    "maps of a row; classes that are never predicted do not count."
)


def pass_scatter(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> PassScatter:
    """Scores of the true class and of the two others that passes name most, at several angles.

    Of your own pictures, one beside the other, those of the three classes that passes name most.
    """
    product = products[definition["panels"][0]]
    view = view_of(product.params)
    angle = np.arange(1.0, 1 + len(product.arrays["label"].values)) if view.own else _angles(figure, product)
    logits = _floats(product, "logits")
    still = _floats(product, "undisturbed")
    share, still_share = softmax(logits), softmax(still)
    label = int(product.arrays["label"].values[0])
    peak = share.mean(axis=0).max(axis=0)
    if not view.own:
        peak[label] = np.inf
    order = np.argsort(-peak, kind="stable")[:SHOWN_CLASSES].tolist()
    classes = sorted(order) if view.own else [label, *sorted(order[1:])]
    top = np.argsort(-still, axis=1, kind="stable")[:, :2]
    return PassScatter(
        figure=figure,
        classes=tuple(classes),
        pictures=pictures_of(product).clip(0, 1),
        angle=angle,
        logit=logits[:, :, classes],
        probability=share[:, :, classes],
        still_logit=still[:, classes],
        still_probability=still_share[:, classes],
        top=top,
        top_probability=np.take_along_axis(still_share, top, axis=1),
        mutual_information=_floats(product, "mutual_information"),
        turned=not view.own,
        names=view.classes,
    )


def passes_by_class(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> PanelGroup:
    """A map per class, of the passes that predict it (approach 1) and, where computed, of all passes (Algorithm 1).

    Each picture is a block; ``definition["angles"]`` names those to show. One colour scale for all. What is published
    (other masks for each class) stands below the same picture.
    """
    for name in definition["panels"]:
        if products[name].arrays["logits"].values.shape[-1] > MOST_CLASSES:
            raise ConfigError(f"{figure} shows a map per class, and {name} has more than {MOST_CLASSES} classes.")
    rows = [
        (_block_heading(products[name], place), _class_rows(name, products[name], place), products[name], place)
        for name in definition["panels"]
        for place in _chosen(figure, products[name], definition.get("angles"))
    ]
    for _, rows_of_block, product, place in rows:
        for name in definition.get("published", ()):
            (there,) = _chosen(figure, products[name], [_angles(figure, product)[place]])
            rows_of_block.extend(_class_rows(name, products[name], there))
    every = [row for _, block, _, _ in rows for row in block]
    limit = scale.symmetric_limit([row.values[row.values.any(axis=(1, 2))] for row in every if row.values.any()])
    blocks = tuple(
        Block(
            heading,
            tuple(_limited(row, limit) for row in block),
            pictures_of(product)[place : place + 1].clip(0, 1),
        )
        for heading, block, product, place in rows
    )
    first = rows[0][2]
    return PanelGroup(
        figure=figure,
        pictures=pictures_of(first)[rows[0][3]][None].clip(0, 1),
        label=np.arange(len(every[0].target)),  # columns are classes
        blocks=blocks,
        quantity=description_of(first).quantity,
        quantile=scale.QUANTILE,
        scale_rule=RULE,
        heads=view_of(first.params).names(range(len(every[0].target))),
        classes=view_of(first.params).classes,
    )


def uncertainty_maps(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> PanelGroup:
    """What the passes find on the whole, and what they disagree about, each row on a scale of its own.

    For explanations of all classes, the class is the one that is seen without dropout and noise: the mean map of the
    first of them, and the covariance map of each; for functions of all passes, their map.
    """
    rows: list[MapRow] = []
    shown = [products[name] for name in definition["panels"]]
    for name, product in zip(definition["panels"], shown, strict=True):
        if product.params["target"] != "all":
            rows.append(_function_row(name, product))
            continue
        if not rows:
            rows.append(_seen_row(name, product, "mean", "score_mean"))
        if "covariance" in product.arrays:
            rows.append(_seen_row(name, product, "covariance", "score_variance"))
    first = shown[0]
    seen = _floats(first, "undisturbed").argmax(axis=1)
    heads = class_heads(first)
    if not view_of(first.params).own:
        angles = (f"{angle:g}°".replace("-", "−") for angle in _angles(figure, first))
        heads = tuple(f"{angle}\nclass {k}" for angle, k in zip(angles, seen, strict=True))
    return PanelGroup(
        figure=figure,
        pictures=pictures_of(first).clip(0, 1),
        label=first.arrays["label"].values,
        blocks=(Block("", tuple(rows)),),
        quantity="relative to the row's scale",
        quantile=scale.QUANTILE,
        scale_rule=scale.RULE_BY_ROW,
        heads=heads,
        classes=view_of(first.params).classes,
    )


def dropout_maps(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> PanelGroup:
    """Maps of networks without dropout, of one pass with dropout on, and of the mean of all passes; one scale.

    Published ones follow in grey: multipliers, each map, or that of each pass, shifted and scaled to [0, 1].
    """
    rows: list[MapRow] = []
    for name in definition["panels"]:
        single = "values" in products[name].arrays
        rows += [_still_row(name, products)] if single else _one_and_mean(name, products[name])
    limit = scale.symmetric_limit([row.values for row in rows])
    published = tuple(_grey_row(name, products) for name in definition.get("published", ()))
    blocks = [Block(CORRECTED if published else "", tuple(_limited(row, limit) for row in rows))]
    if published:
        blocks.append(Block(PUBLISHED, published, grey=True))
    first = products[definition["panels"][0]]
    own = view_of(first.params).own
    return PanelGroup(
        figure=figure,
        pictures=pictures_of(first),
        label=first.arrays["label"].values,
        blocks=tuple(blocks),
        quantity=description_of(first).quantity,
        quantile=scale.QUANTILE,
        scale_rule=RULE,
        heads=class_heads(first) if own else tuple(f"digit {k}" for k in first.arrays["label"].values),
        classes=view_of(first.params).classes,
    )


def _still_row(name: str, products: Mapping[str, Product]) -> MapRow:
    """The maps of an attribution, with the class and the logit above each."""
    product = products[name]
    row = row_of(name, product, description_of(product), sum_of_channels(product), 1.0)
    with_dropout = {each.params["model"] for each in products.values() if "counts" in each.arrays}
    if product.params.get("model") not in with_dropout:
        row = replace(row, heading="Network without dropout", detail=f"{row.heading}, {row.detail}")
    return _noted(row, product)


def _grey_row(name: str, products: Mapping[str, Product]) -> MapRow:
    """The same in [0, 1], whatever its values."""
    row = _still_row(name, products)
    low, high = row.values.min(axis=(1, 2), keepdims=True), row.values.max(axis=(1, 2), keepdims=True)
    if products[name].params["method"] == "deeplift_unshared_masks":
        return row  # a mean of maps in [0, 1]
    return replace(row, values=(row.values - low) / np.where(high > low, high - low, 1))


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def _class_rows(name: str, product: Product, place: int) -> list[MapRow]:
    """Approach 1 and Algorithm 1 for one picture, as far as they were computed."""
    heading = description_of(product).heading
    rows = []
    if "by_predicted_class" in product.arrays:
        notes = [f"{count} ×" if count else "never" for count in product.arrays["counts"].values[place]]
        detail = f"{heading}, mean of the passes that predict the class; above: how many"
        rows.append(_by_class((name, place, "by_predicted_class"), "Approach 1", detail, product, notes))
    if product.params["independent_masks"]:
        counts = product.arrays["counts"].values[place]
        notes = [f"{count} ×" for count in counts]
        detail = f"other masks for each class; above: how many of its {product.params['passes']} passes predict it"
        rows.append(_by_class((name, place, "mean"), "Algorithm 1 with masks as published", detail, product, notes))
    elif product.params["target"] == "all":
        notes = [_minus(f"{score:.1f}") for score in product.arrays["score_mean"].values[place]]
        detail = f"{heading}, mean of all passes for every class; above: mean score of the class"
        rows.append(_by_class((name, place, "mean"), "Algorithm 1", detail, product, notes))
    if not rows:
        raise ConfigError(f"{name} has no map of each class: give it target: all, or the product by_predicted_class.")
    return rows


def _by_class(which: tuple[str, int, str], heading: str, detail: str, product: Product, notes: Sequence[str]) -> MapRow:
    """One map per class of one picture."""
    name, place, array = which
    maps = _floats(product, array)[place].sum(axis=1)
    return MapRow(
        name=f"{name}_{place}_{array}",
        heading=heading,
        detail=detail,
        values=maps,
        score=_of_all_passes(product).mean(axis=0)[place],
        target=np.arange(len(maps)),
        probability=_floats(product, "probabilities")[place],
        limit=1.0,
        beyond=0.0,
        notes=tuple(notes),
    )


def _seen_row(name: str, product: Product, array: str, score: str) -> MapRow:
    """Maps of the class that is seen without dropout and noise, one per picture, in units of their own."""
    seen = _floats(product, "undisturbed").argmax(axis=1)
    places = np.arange(len(seen))
    maps = _floats(product, array)[places, seen].sum(axis=1)
    sums, scores = maps.sum(axis=(1, 2)), _floats(product, score)[places, seen]
    words = {
        "mean": ("mean map", "above: mean score"),
        "covariance": ("covariance with the score", "above: sum, of the variance"),
    }[array]
    if array == "mean":
        notes = [_minus(f"{value:.1f}") for value in scores]
    else:
        notes = [_minus(f"{total:.1f} of {value:.1f}") for total, value in zip(sums, scores, strict=True)]
    heading = f"{description_of(product).heading}, {words[0]}"
    return _own_scale(f"{name}_{array}", heading, words[1], product, maps, notes, seen)


def _function_row(name: str, product: Product) -> MapRow:
    """The map of a function of all passes, one per picture."""
    maps = _floats(product, "mean").sum(axis=1)
    notes = [f"{value:.2f} nat" for value in _floats(product, "score_mean")]
    function = str(product.params["target"]).replace("_", " ")
    seen = _floats(product, "undisturbed").argmax(axis=1)
    heading = f"{description_of(product).heading}, {function}"
    return _own_scale(name, heading, "above: its value", product, maps, notes, seen)


def _own_scale(
    name: str,
    heading: str,
    detail: str,
    product: Product,
    maps: Floats,
    notes: Sequence[str],
    seen: NDArray[np.integer[Any]],
) -> MapRow:
    values, size = relative(maps)
    places = np.arange(len(seen))
    row = MapRow(
        name=name,
        heading=heading,
        detail=detail,
        values=values,
        score=_floats(product, "logits").mean(axis=0)[places, seen],
        target=seen,
        probability=_floats(product, "probabilities")[places, seen],
        limit=1.0,
        beyond=scale.share_beyond(values, 1.0),
        notes=tuple(notes),
    )
    return sized(row, size)


def _one_and_mean(name: str, product: Product) -> list[MapRow]:
    """The first pass and the mean of all, for the class that is seen without dropout and noise."""
    if "raw" not in product.arrays:
        raise ConfigError(f"{name} has no map of a single pass: give it keep_raw: 1.")
    logits = _floats(product, "logits")
    target = product.arrays["explained_class"].values
    places, passes = np.arange(len(target)), len(logits)
    words = description_of(product)
    found = []
    for array, heading, values, scores in (
        ("one", "one pass", _floats(product, "raw")[0], logits[0]),
        ("mean", f"mean of {passes} passes", _floats(product, "mean"), logits.mean(axis=0)),
    ):
        row = MapRow(
            name=f"{name}_{array}",
            heading=f"{words.heading}, {heading}",
            detail=words.settings,
            values=values.sum(axis=1),
            score=scores[places, target],
            target=target,
            probability=softmax(scores)[places, target],
            limit=1.0,
            beyond=0.0,
        )
        found.append(_noted(row, product))
    return found


def _noted(row: MapRow, product: Product) -> MapRow:
    """The row with its class and the logit above each map."""
    named = short_names(product, row.target)
    notes = (_minus(f"{name}: {score:.1f}") for name, score in zip(named, row.score, strict=True))
    return replace(row, notes=tuple(notes))


def _limited(row: MapRow, limit: float) -> MapRow:
    return replace(row, limit=limit, beyond=scale.share_beyond(row.values, limit))


def _block_heading(product: Product, place: int) -> str:
    """What the passes are, and how uncertain."""
    params = product.params
    words = []
    if "angle" in product.arrays:
        words.append(_minus(f"Turned by {product.arrays['angle'].values[place]:g}°"))
    elif view_of(product.params).own:
        words.append(f"Picture {place + 1}, {class_heads(product)[place]}")
    if params["noise"]:
        network = "network with dropout on" if params["dropout"] else "network without dropout"
        words.append(f"Noise of {params['noise']:g}, {network}")
    entropy, inside, between = (
        product.arrays[name].values[place] for name in ("predictive_entropy", "expected_entropy", "mutual_information")
    )
    uncertain = f"entropy {entropy:.2f} nat = {inside:.2f} within passes + {between:.2f} between them"
    return f"{', '.join(words) or 'Dropout on'}: {uncertain}"


def _chosen(figure: str, product: Product, angles: Sequence[float] | None) -> list[int]:
    """Places of the pictures at some angles; of all pictures without any."""
    if angles is None:
        return list(range(len(product.arrays["label"].values)))
    there = _angles(figure, product).tolist()
    missing = [f"{angle:g}" for angle in angles if float(angle) not in there]
    if missing:
        known = ", ".join(f"{angle:g}" for angle in there)
        raise ConfigError(f"{figure} asks for the angles {', '.join(missing)}; there are {known}.")
    return [there.index(float(angle)) for angle in angles]


def _angles(figure: str, product: Product) -> Floats:
    if "angle" not in product.arrays:
        raise ConfigError(f"{figure} needs passes of a picture at several angles: a probe of kind rotations.")
    return _floats(product, "angle")


def _floats(product: Product, name: str) -> Floats:
    return np.asarray(product.arrays[name].values, dtype=np.float64)


def _of_all_passes(product: Product) -> Floats:
    """Scores ``(passes, n, classes)``; with other masks for each class, of the passes of all classes."""
    logits = _floats(product, "logits")
    return logits.reshape(-1, *logits.shape[-2:])


def _minus(words: str) -> str:
    return words.replace("-", "−")
