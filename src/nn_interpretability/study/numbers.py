"""The numbers that the report states: read from results, keyed, worded once.

A part is a JSON file ``{key: {"value", "text", "unit", "source"}}``.  ``value`` is the number (or word) itself,
``text`` how it is printed, in a form that siunitx reads, ``unit`` is ``"%"`` or a name that
:mod:`nn_interpretability.reporting.tex` knows, ``source`` the product it was read from.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nn_interpretability.data.view import view_of
from nn_interpretability.errors import DataError
from nn_interpretability.plotting import curves_data
from nn_interpretability.plotting.curves_data import Curves, curves_of
from nn_interpretability.plotting.data import DIFFERENCE, PUBLISHED, SCHEMA, MapRow, PanelGroup, read_figure_data
from nn_interpretability.plotting.gallery_data import KIND as GALLERY
from nn_interpretability.plotting.gallery_data import Gallery, gallery_of
from nn_interpretability.plotting.scatter_data import KIND as SCATTER_KIND
from nn_interpretability.plotting.scatter_data import PassScatter, scatter_of
from nn_interpretability.plotting.strip_data import KIND, OcclusionStrip, strip_of
from nn_interpretability.plotting.toys_data import KIND as TOYS_KIND
from nn_interpretability.plotting.uncertainty_data import CURVE_KIND, RELIABILITY_KIND, EvidenceCurve, curve_of
from nn_interpretability.storage.hdf5 import Product, read_hdf5
from nn_interpretability.storage.product import read_json, write_json
from nn_interpretability.study.measurements import of_filters
from nn_interpretability.study.number_part import ANY, write_part
from nn_interpretability.study.rows import description_of

Numbers = dict[str, dict[str, Any]]
FloatArray = npt.NDArray[np.float64]

TRACE_PARTS = ("received", "sent", "bias", "stabilizer", "blocked")


def numbers_of_run(
    output: Path | str, *, provenance: Mapping[str, Any], source: str = "the run", keys: Sequence[str] = ANY
) -> None:
    """Write what holds for the whole run: ``run.seed``, ``run.commit``, ``run.versions.*``."""
    commit, _, changed = str(provenance["commit"]).partition("-")
    words = {"seed": str(provenance["seed"]), "commit": commit[:12] + (" with local changes" if changed else "")}
    words["instruction_set"] = provenance.get("instruction_set", "unknown")
    words |= {f"versions.{name}": version for name, version in provenance.get("versions", {}).items()}
    write_part(output, {f"run.{key}": entry(value, source=source) for key, value in words.items()}, keys=keys)


def numbers_of_data(
    record_json: Path | str | None, output: Path | str, *, source: str = "data/digits.json", keys: Sequence[str] = ANY
) -> None:
    """Write where the digits come from: ``data.name``, ``data.reason``, ``data.count.*``; nothing without digits."""
    if not record_json:
        write_part(output, {}, keys=keys)
        return
    record = read_json(record_json)
    title = str(record.get("title", record["source"]))
    stand_in = " (the embedded stand-in for MNIST)" if record["source"] == "embedded" else ""
    words: dict[str, Any] = {
        "source": record["source"],
        "name": title.partition(" (")[0].partition(",")[0] + stand_in,
        "title": title,
        "reason": record["reason"],
        "licence": record.get("licence", "unknown"),
    }
    words |= {f"count.{part}": count for part, count in record["counts"].items()}
    write_part(output, {f"data.{key}": entry(value, source=source) for key, value in words.items()}, keys=keys)


def numbers_of_models(cards: Mapping[str, Path | str], output: Path | str, *, keys: Sequence[str] = ANY) -> None:
    """Write what model cards say: ``model.<name>.test.accuracy`` and its like.

    Parameters
    ----------
    cards, output
        The card of each model, by its name, and the file to write.
    keys
        What the job declares; here and below, see :func:`nn_interpretability.study.number_part.write_part`.
    """
    numbers: Numbers = {}
    for name, path in cards.items():
        found = _numbers_of_card(read_json(path), f"models/{name}/card.json")
        numbers |= {f"model.{name}.{key}": value for key, value in found.items()}
    write_part(output, numbers, keys=keys)


def _numbers_of_card(card: Mapping[str, Any], source: str) -> Numbers:
    numbers = {key: entry(card[key], source=source) for key in ("architecture", "parameters", "device")}
    if card["seed"] is not None:
        numbers["seed"] = entry(str(card["seed"]), source=source)  # a name, not a quantity: no grouping of digits
    for part in filter(card.get, ("test", "validation")):
        numbers |= {f"{part}.{key}": value for key, value in _quality(card[part], source).items()}
    return numbers


def _quality(part: Mapping[str, Any], source: str) -> Numbers:
    return {
        "accuracy": entry(100 * part["accuracy"], decimals=2, unit="%", source=source),
        "error": entry(100 * (1 - part["accuracy"]), decimals=2, unit="%", source=source),
        "nll": entry(part["nll"], digits=3, source=source),
        "ece": entry(100 * part["ece"], decimals=2, unit="%", source=source),
        "n": entry(part["n"], source=source),
        **_evidential(part, source),
    }


def _evidential(part: Mapping[str, Any], source: str) -> Numbers:
    """What a card says of a network that may abstain: shares in percent, ``mean_evidence`` as it is."""
    said = dict(part.get("evidential", {}))
    numbers: Numbers = {}
    if said:
        evidence = said.pop("mean_evidence")
        share = {"abstentions": said.pop("abstentions") / part["n"], "answers": said.pop("answers") / part["n"]} | said
        numbers = {
            key: entry(
                None if value is None else 100 * value, decimals=2, unit="" if value is None else "%", source=source
            )
            for key, value in share.items()
        }
        numbers["mean_evidence"] = entry(evidence, digits=3, source=source)
    return numbers


def numbers_of_attributions(
    attributions: Mapping[str, Path | str], output: Path | str, *, keys: Sequence[str] = ANY
) -> None:
    r"""Write what can be said of attributions: settings, conservation, where relevance went.

    Keys, each behind ``attribution.<name>.``: ``method``, ``heading``, ``settings``, ``probe``, ``pictures``;
    ``background``, the share of :math:`|R|` on pixels of value zero; for methods that sum to the score
    ``conservation.median`` and ``conservation.max``, the relative gap :math:`|\sum_i R_i - f| / |f|` over the
    pictures; for LRP ``layers``, their names from output to input, and ``layers.<layer>.<part>``, in percent of the
    score, the mean over the pictures.
    """
    numbers: Numbers = {}
    for name, path in attributions.items():
        found = _numbers_of_attribution(read_hdf5(path, schema="attribution/1"), f"attributions/{name}.h5")
        numbers |= {f"attribution.{name}.{key}": value for key, value in found.items()}
    write_part(output, numbers, keys=keys)


def _numbers_of_attribution(product: Product, source: str) -> Numbers:
    words = description_of(product)
    numbers: Numbers = {
        "method": entry(str(product.params["method"]), source=source),
        "heading": entry(words.heading, source=source),
        "settings": entry(words.settings, source=source),
        "probe": entry(str(product.params.get("probe", "unknown")), source=source),
        "pictures": entry(len(product.arrays["output"].values), source=source),
    }
    if of_filters(product):
        return numbers
    if not view_of(product.params).own:
        numbers["background"] = entry(100 * _background(product), digits=3, unit="%", source=source)
    for key, value in _conservation(product).items():
        numbers[key] = entry(100 * value, digits=2, unit="%", source=source)
    layers = _layers(product)
    if layers:
        numbers["layers"] = entry(" ".join(layers), source=source)
    for layer, parts in layers.items():
        for part, value in parts.items():
            numbers[f"layers.{layer}.{part}"] = entry(100 * value, decimals=2, unit="%", source=source)
    return numbers


def numbers_of_figure(
    figure_data_h5: Path | str, output: Path | str, *, source: str | None = None, keys: Sequence[str] = ANY
) -> None:
    """Write what a caption says: the colour scale, and how far published and corrected settings agree.

    Keys, each behind ``figure.<figure>.``: ``limit`` and ``quantile``; ``beyond.max``, the largest share of a row's
    values beyond the scale; ``agreement.<row>.cosine`` and ``agreement.<row>.rank``, the smallest cosine and the
    smallest rank correlation over the pictures between a row and the row ``<row>_published`` of the published block,
    and ``agreement.<row>.size``, how many times as large the published maps are (left out where ours are empty);
    ``difference.max`` and ``difference.relative``, of a row of differences; ``apart.<row>``, the largest difference of
    a row of the first block from the row above, relative to the largest value there;
    ``alike.<row>.<other>``, the mean cosine over the pictures between two rows of that block, and the mean correlation
    between two rows of a block in grey.
    """
    product = read_hdf5(figure_data_h5, schema=SCHEMA)
    say = _OTHER_FIGURES.get(str(product.params.get("kind")))
    numbers = say(product, source) if say is not None else _numbers_of_group(Path(figure_data_h5), source)
    write_part(output, numbers, keys=keys)


def _numbers_of_group(figure_data_h5: Path, source: str | None) -> Numbers:
    """What a figure of maps says."""
    group = read_figure_data(figure_data_h5)
    source = source or f"figures/data/{group.figure}.h5"
    limit, beyond = group.rows[0].limit, max(row.beyond for row in group.rows)
    numbers = {
        "limit": entry(limit, digits=2, source=source),
        "quantile": entry(100 * group.quantile, decimals=1, unit="%", source=source),
        "beyond.max": entry(100 * beyond, digits=2, unit="%", source=source),
    }
    for key, value in _agreement(group).items():
        size = key.endswith(".size")
        numbers[key] = entry(value, source=source, digits=2 if size else None, decimals=None if size else 2)
    for key, value in {**_difference(group), **_apart(group)}.items():
        numbers[key] = entry(value, digits=2, source=source)
    for key, value in _alike(group).items():
        numbers[key] = entry(value, decimals=2, source=source)
    return {f"figure.{group.figure}.{key}": value for key, value in numbers.items()}


def _numbers_of_gallery(gallery: Gallery, source: str | None) -> Numbers:
    """What a gallery says of its pictures."""
    source = source or f"figures/data/{gallery.figure}.h5"
    return {f"figure.{gallery.figure}.{key}": entry(source=source, **fact) for key, fact in gallery.facts.items()}


def _numbers_of_strip(strip: OcclusionStrip, source: str | None) -> Numbers:
    """``whole``, and of the worst position ``worst.probability``, ``worst.seen``, ``worst.seen_share``; ``wrong``."""
    source = source or f"figures/data/{strip.figure}.h5"
    worst = int(np.argmin(strip.probability))
    numbers = {
        "limit": entry(strip.limit, digits=2, source=source),
        "label": entry(int(strip.label), source=source),
        "whole": entry(100 * strip.whole, decimals=1, unit="%", source=source),
        "positions": entry(len(strip.covered), source=source),
        "wrong": entry(int((strip.seen != strip.label).sum()), source=source),
        "worst.probability": entry(100 * float(strip.probability[worst]), digits=2, unit="%", source=source),
        "worst.seen": entry(int(strip.seen[worst]), source=source),
        "worst.seen_share": entry(100 * float(strip.seen_share[worst]), decimals=0, unit="%", source=source),
    }
    return {f"figure.{strip.figure}.{key}": value for key, value in numbers.items()}


def _numbers_of_curve(curve: EvidenceCurve, source: str | None) -> Numbers:
    """Of the first network: ``label``, ``angles``, ``first.u``, ``last.u``, ``most.u`` and its ``most.angle``.

    Also ``abstains``, the number of angles without evidence; and ``last.class``, its answer at the last angle; and of
    the second network ``ordinary.last.class`` and ``ordinary.lowest``, its smallest largest probability.
    """
    source = source or f"figures/data/{curve.figure}.h5"
    uncertainty = curve.uncertainty[0]
    most = int(uncertainty.argmax())
    numbers = {
        "label": entry(curve.label, source=source),
        "angles": entry(len(curve.angle), source=source),
        "first.u": entry(100 * float(uncertainty[0]), decimals=0, unit="%", source=source),
        "last.u": entry(100 * float(uncertainty[-1]), decimals=0, unit="%", source=source),
        "most.u": entry(100 * float(uncertainty[most]), decimals=0, unit="%", source=source),
        "most.angle": entry(float(curve.angle[most]), decimals=0, source=source),
        "abstains": entry(int((uncertainty >= 1).sum()), source=source),
        "last.class": entry(int(curve.probability[0, -1].argmax()) if uncertainty[-1] < 1 else None, source=source),
    }
    if len(curve.headings) > 1:
        largest = curve.probability[1].max(axis=1)
        numbers["ordinary.last.class"] = entry(int(curve.probability[1, -1].argmax()), source=source)
        numbers["ordinary.lowest"] = entry(100 * float(largest.min()), decimals=0, unit="%", source=source)
    return {f"figure.{curve.figure}.{key}": value for key, value in numbers.items()}


def _numbers_of_scatter(scatter: PassScatter, source: str | None) -> Numbers:
    """``passes``, ``classes``; of each picture ``<n>.angle``, ``<n>.first``, ``<n>.first_share``, ``<n>.second``..."""
    source = source or f"figures/data/{scatter.figure}.h5"
    shown = [scatter.name(label) for label in scatter.classes]
    numbers = {
        "passes": entry(len(scatter.logit), source=source),
        "classes": entry(", ".join(shown[:-1]) + f" and {shown[-1]}", source=source),
    }
    for place, angle in enumerate(scatter.angle):
        if scatter.turned:
            numbers[f"{place}.angle"] = entry(int(angle), source=source)
        for rank, word in enumerate(("first", "second")):
            share = 100 * float(scatter.top_probability[place, rank])
            numbers[f"{place}.{word}"] = entry(int(scatter.top[place, rank]), source=source)
            numbers[f"{place}.{word}_share"] = entry(share, decimals=2, unit="%", source=source)
    return {f"figure.{scatter.figure}.{key}": value for key, value in numbers.items()}


def _numbers_of_curves(curves: Curves, source: str | None) -> Numbers:
    """The facts of each panel; a number of things is a whole one."""
    source = source or f"figures/data/{curves.figure}.h5"
    numbers: Numbers = {}
    for name, facts in curves.facts.items():
        for key, value in facts.items():
            number = entry(int(value), source=source) if key == "pieces" else entry(value, decimals=2, source=source)
            numbers[f"figure.{curves.figure}.{name}.{key}"] = number
    return numbers


_OTHER_FIGURES: Mapping[str, Callable[[Product, str | None], Numbers]] = {
    KIND: lambda product, source: _numbers_of_strip(strip_of(product), source),
    CURVE_KIND: lambda product, source: _numbers_of_curve(curve_of(product), source),
    RELIABILITY_KIND: lambda _product, _source: {},  # the numbers of calibrations and of toys come from the jobs
    TOYS_KIND: lambda _product, _source: {},  # that make them
    SCATTER_KIND: lambda product, source: _numbers_of_scatter(scatter_of(product), source),
    curves_data.KIND: lambda product, source: _numbers_of_curves(curves_of(product), source),
    GALLERY: lambda product, source: _numbers_of_gallery(gallery_of(product), source),
}


def merge_numbers(parts: Sequence[Path | str], output_json: Path | str) -> None:
    """Write all parts as one file.

    Raises
    ------
    DataError
        If two parts have the same key: one of them would be lost.
    """
    merged: Numbers = {}
    origin: dict[str, Path | str] = {}
    for part in parts:
        for key, value in read_json(part).items():
            if key in merged:
                raise DataError(f"The number {key!r} is in {origin[key]} and in {part}; it must have one source.")
            merged[key], origin[key] = value, part
    write_json(output_json, merged)


def entry(
    value: float | str | None,
    *,
    source: str,
    unit: str = "",
    decimals: int | None = None,
    digits: int | None = None,
) -> dict[str, Any]:
    """One number (or word) with its printed form.

    Parameters
    ----------
    value
        A word, an integer, or a finite number; None is printed as "none".
    source
        The product it was read from.
    unit
        ``"%"``, another unit, or nothing.
    decimals, digits
        Decimal places, or significant digits; integers and words need neither.
    """
    if value is None or isinstance(value, str):
        return {"value": value, "text": value or "none", "unit": unit, "source": source}
    return {"value": value, "text": printed(value, decimals=decimals, digits=digits), "unit": unit, "source": source}


def printed(value: float, *, decimals: int | None = None, digits: int | None = None) -> str:
    """A number as plain text that siunitx reads: ``"99.12"``, ``"0.0032"``, ``"1.2e-9"``.

    Raises
    ------
    ValueError
        If the number is not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be stated in a report.")
    if isinstance(value, int):
        return str(value)
    if decimals is not None:
        return f"{round(value, decimals) + 0.0:.{decimals}f}"  # adding zero: no minus sign before a zero
    digits = 3 if digits is None else digits
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    if -5 < exponent < 6:
        return f"{value:.{max(0, digits - 1 - exponent)}f}"
    mantissa = f"{value:.{digits - 1}e}".partition("e")[0]
    return f"{mantissa}e{exponent}"


def _background(product: Product) -> float:
    """Share of the absolute values on pixels that are zero in all channels."""
    absolute = np.abs(np.asarray(product.arrays["values"].values, dtype=np.float64)).sum(axis=1)
    black = (product.arrays["images"].values == 0).all(axis=1)
    total = absolute.sum()
    return float(absolute[black].sum() / total) if total else 0.0


def _conservation(product: Product) -> dict[str, float]:
    if "completeness_error" not in product.arrays:
        return {}
    score = _score(product)
    values = np.asarray(product.arrays["values"].values, dtype=np.float64)
    gap = np.abs(values.sum(axis=(1, 2, 3)) - score) / np.abs(score)
    return {"conservation.median": float(np.median(gap)), "conservation.max": float(gap.max())}


def _layers(product: Product) -> dict[str, dict[str, float]]:
    """Mean over the pictures of what each layer received, sent on and kept, relative to the score."""
    if "trace_received" not in product.arrays:
        return {}
    score = _score(product)
    shares = {part: (product.arrays[f"trace_{part}"].values / score).mean(axis=1) for part in TRACE_PARTS}
    names = [str(layer).replace("#", "-") for layer in product.scales["layer"]]
    return {
        layer: {part: float(share[index]) for part, share in shares.items()}
        for index, layer in reversed(list(enumerate(names)))
    }


def _score(product: Product) -> FloatArray:
    """The explained scores, kept away from zero so that relative numbers stay finite."""
    score = np.asarray(product.arrays["output"].values, dtype=np.float64)
    return np.where(np.abs(score) < 1e-12, 1e-12, score)


def _agreement(group: PanelGroup) -> dict[str, float | None]:
    if len(group.blocks) < 2:
        return {}
    corrected, published = group.blocks[:2]
    own, others_own = corrected.pictures, published.pictures
    if own is not None and (others_own is None or not np.array_equal(own, others_own)):
        return {}  # maps of other pictures
    others = {row.name: row for row in published.rows}
    numbers: dict[str, float | None] = {}
    for one in corrected.rows:
        other = others.get(one.name + PUBLISHED)
        if other is None:
            continue
        numbers[f"agreement.{one.name}.cosine"] = _smallest(cosine, one, other)
        numbers[f"agreement.{one.name}.rank"] = _smallest(rank_correlation, one, other)
        numbers[f"agreement.{one.name}.size"] = _relative(
            float(np.linalg.norm(other.values)), float(np.linalg.norm(one.values))
        )
    return numbers


def _alike(group: PanelGroup) -> dict[str, float]:
    """The mean cosine over the pictures, for each two rows of the first block, or the mean correlation in grey ones."""
    found = {}
    for block in group.blocks:
        if block is not group.blocks[0] and not block.grey:
            continue
        for one, other in itertools.combinations(block.rows, 2):
            pairs = zip(one.values.astype(np.float64), other.values.astype(np.float64), strict=True)
            shift = np.mean if block.grey else np.zeros_like  # grey maps have no zero
            cosines = [cosine((a - shift(a)).ravel(), (b - shift(b)).ravel()) for a, b in pairs]
            found[f"alike.{one.name}.{other.name}"] = float(np.mean(cosines))
    return found


def _difference(group: PanelGroup) -> dict[str, float]:
    """Where a row of differences is: the largest one, and the same relative to the largest value of the first row."""
    one, other, *more = group.blocks[0].rows if len(group.blocks[0].rows) > 2 else (None, None)
    if one is None or other is None or more[0].name != DIFFERENCE:
        return {}
    largest = float(np.abs(other.values.astype(np.float64) - one.values).max())
    return {"difference.max": largest, "difference.relative": largest / float(np.abs(one.values).max())}


def _apart(group: PanelGroup) -> dict[str, float | None]:
    rows = [row for row in group.blocks[0].rows if row.name != DIFFERENCE]
    return {
        f"apart.{row.name}": _relative(np.abs(row.values - above.values).max(), np.abs(above.values).max())
        for above, row in itertools.pairwise(rows)
    }


def _relative(value: float, size: float) -> float | None:
    """The quotient; None beside maps that are empty, or so small that they are no numbers any more."""
    return float(value) / float(size) if size > np.finfo(np.float32).tiny else None


def _smallest(measure: Callable[[FloatArray, FloatArray], float], one: MapRow, other: MapRow) -> float:
    pairs = zip(one.values, other.values, strict=True)
    return min(measure(np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()) for a, b in pairs)


def cosine(one: FloatArray, other: FloatArray) -> float:
    """Cosine of the angle between two maps; 0 if one of them is zero."""
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm else 0.0


def rank_correlation(one: FloatArray, other: FloatArray) -> float:
    """Spearman's rank correlation, ties sharing their mean rank; 0 if one of the maps is constant."""
    ranks = [_ranks(values) for values in (one, other)]
    return cosine(*(rank - rank.mean() for rank in ranks))


def _ranks(values: FloatArray) -> FloatArray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean_rank = last - (counts - 1) / 2
    return np.asarray(mean_rank[inverse], dtype=np.float64)
