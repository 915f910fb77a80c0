"""What each method makes of each classifier of torchvision: covered, warned of, or refused.

``docs/torchvision.md`` is written from this by ``tools/docs.py``, and a test makes a part of it anew. Weights are
random and pictures small: which operations a model has does not depend on either, nor does an identity.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import nets
import torch
from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.registry import METHODS


@dataclass(frozen=True)
class Classifier:
    """A classifier of torchvision: the side of its pictures, a layer for class maps, and how to build it."""

    side: int
    layer: str
    settings: Mapping[str, Any] = field(default_factory=dict)


CLASSIFIERS: dict[str, Classifier] = {
    "alexnet": Classifier(64, "features"),
    "vgg16": Classifier(32, "features"),
    "resnet18": Classifier(32, "layer4"),
    "resnet50": Classifier(32, "layer4"),
    "densenet121": Classifier(32, "features"),
    "squeezenet1_0": Classifier(48, "features"),
    "googlenet": Classifier(64, "inception5b", {"init_weights": False}),
    "mobilenet_v3_small": Classifier(32, "features"),
    "efficientnet_b0": Classifier(32, "features"),
    "convnext_tiny": Classifier(32, "features"),
    "vit_b_16": Classifier(32, "conv_proj", {"image_size": 32}),
}


def _gap(found: Attribution) -> Tensor | None:
    return found.completeness_error


def _unaccounted(found: Attribution) -> Tensor:
    """What the conservation trace does not account for, relative to the largest relevance that it has seen."""
    trace = found.trace
    assert trace is not None
    return trace.unaccounted.abs().max() / torch.maximum(trace.received.abs().max(), found.score.abs().max())


@dataclass(frozen=True)
class Row:
    """A method with settings; ``promise`` is what should be zero, if it promises anything."""

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    promise: Callable[[Attribution], Tensor | None] | None = None


ROWS: dict[str, Row] = {
    "gradient": Row("gradient"),
    "saliency": Row("saliency"),
    "input_x_gradient": Row("input_x_gradient"),
    "smoothgrad": Row("smoothgrad", {"samples": 2}),
    "integrated_gradients": Row("integrated_gradients", {"steps": 32}, _gap),
    "expected_gradients": Row("expected_gradients", {"references": [0], "samples": 2}),
    "simple_taylor": Row("simple_taylor"),
    "guided_backprop": Row("guided_backprop"),
    "deconvolution": Row("deconvolution"),
    "lrp, rule 0": Row("lrp", {"rule": "0", "trace": True}, _unaccounted),
    "lrp, epsilon": Row("lrp", {"rule": "epsilon", "trace": True}, _unaccounted),
    "lrp, montavon2019": Row("lrp", {"composite": "montavon2019", "input_bounds": [0, 1], "trace": True}, _unaccounted),
    "deep_taylor": Row("deep_taylor", {"input_bounds": [0, 1], "trace": True}, _unaccounted),
    "deeplift, rescale": Row("deeplift", {"rule": "rescale"}, _gap),
    "deeplift, reveal_cancel": Row("deeplift", {"rule": "reveal_cancel"}, _gap),
    "cam": Row("cam"),
    "grad_cam": Row("grad_cam"),
    "guided_grad_cam": Row("guided_grad_cam"),
    "occlusion": Row("occlusion", {"window": 16}),
}


@dataclass(frozen=True)
class Outcome:
    """What became of one method on one classifier.

    Attributes
    ----------
    kind
        ``"covered"``, ``"warns"`` or ``"refused"``.
    words
        Operations without a rule, or why it was refused.
    bound
        Power of ten that what should be zero stays below; None where nothing is promised, or a rule is missing.
    """

    kind: str
    words: str = ""
    bound: str | None = None


_BOUNDS = (1e-12, 1e-9, 1e-6, 1e-3, 1e-2, 1e-1)


def outcome(row: Row, classifier: Classifier, model: nn.Module) -> Outcome:
    """Explain one picture's most likely class."""
    images = nets.uniform(1, 3, classifier.side, classifier.side, seed=4)
    settings = dict(row.settings)
    if "layer" in METHODS[row.method].parameters.get("required", ()):
        settings["layer"] = classifier.layer
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            found = METHODS[row.method].build(model, settings).interpret(images)
        except (ConfigError, DataError) as error:
            return Outcome("refused", str(error).split(";")[0].split(". ")[0])
    named = list(found.coverage.get("uncovered", {}))
    said = [str(one.message) for one in seen if "no ReLU" in str(one.message)]
    if named or said:
        return Outcome("warns", ", ".join(sorted(named)) or "no ReLU")
    promised = None if row.promise is None else row.promise(found)
    return Outcome("covered", bound=None if promised is None else _bound(float(promised.max())))


def _bound(value: float) -> str:
    return next((f"{bound:.0e}".replace("e-0", "e-") for bound in _BOUNDS if value <= bound), "inf")


def outcomes(names: Sequence[str], rows: Sequence[str] = tuple(ROWS)) -> dict[str, dict[str, Outcome]]:
    """Some rows for some classifiers: ``[classifier][row]``."""
    found = {}
    for name in names:
        classifier = CLASSIFIERS[name]
        model = nets.torchvision_classifier(name, **classifier.settings)
        found[name] = {label: outcome(ROWS[label], classifier, model) for label in rows}
    return found


TITLE = """# Methods on classifiers of torchvision

Written by `make docs`; not to be edited. Unmodified models with random weights, in float64.

- *yes*: every operation has a rule, or needs none.
- *a number*: the same, and a bound of what should be zero. For DeepLIFT and integrated gradients (32 points) that is
  the relative gap between the sum of the map and the score; for LRP and deep Taylor decomposition the relevance that
  the conservation trace does not account for.
- *warns*: some operations have no rule; the plain gradient is used there, with a warning that names them.
  `strict=True` makes it an error.
- *refused*: an error that says why.
"""


def page(found: Mapping[str, Mapping[str, Outcome]]) -> str:
    """The page of the documentation."""
    notes: list[str] = []
    lines = ["| method | " + " | ".join(found) + " |", "|---" * (len(found) + 1) + "|"]
    for label in ROWS:
        cells = [_cell(found[name][label], notes) for name in found]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    listed = [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    return "\n".join([TITLE, *lines, "", "Notes:", "", *listed, ""])


def _cell(result: Outcome, notes: list[str]) -> str:
    if result.kind == "covered":
        return result.bound or "yes"
    if result.words not in notes:
        notes.append(result.words)
    return f"{result.kind} ({notes.index(result.words) + 1})"


def cells(text: str) -> dict[str, dict[str, Outcome]]:
    """What a page says, as :func:`outcomes` has it."""
    notes = dict(line.split(". ", 1) for line in text.split("Notes:")[1].strip().splitlines())
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    )
    return {name: {label: _read(values[i], notes) for label, *values in rows} for i, name in enumerate(head[1:])}


def _read(value: str, notes: Mapping[str, str]) -> Outcome:
    if value.endswith(")"):
        kind, number = value.rstrip(")").split(" (")
        return Outcome(kind, notes[number])
    return Outcome("covered", bound=None if value == "yes" else value)
