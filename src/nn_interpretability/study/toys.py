"""What every method says of networks whose right answer is known, and the lecture's backward passes.

Layout (schema ``toys/1``): for each toy of :data:`~nn_interpretability.study.toy_networks.TOYS`

* ``<toy>_along`` [step], places along its axis; ``<toy>_score`` [step], the score there less that at zero;
* ``<toy>_values`` [method, step, input], the attributions;
* ``<toy>_answers`` [method, input], those at one input.

``pair_answers`` [network, pair_method, input] are those for two networks of one function; and the matrices of
:func:`~nn_interpretability.study.lecture.lecture_matrices` have their own names.  The scales of ``method`` and
``pair_method`` are the names of the methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nn_interpretability.methods.base import Method
from nn_interpretability.methods.deeplift import DeepLIFT
from nn_interpretability.methods.gradient import Gradient
from nn_interpretability.methods.input_x_gradient import InputXGradient
from nn_interpretability.methods.integrated_gradients import IntegratedGradients
from nn_interpretability.methods.lrp import LRP
from nn_interpretability.methods.occlusion import Occlusion
from nn_interpretability.storage.hdf5 import Array, write_hdf5
from nn_interpretability.study.as_published import PublishedDeepLIFT
from nn_interpretability.study.lecture import lecture_matrices
from nn_interpretability.study.number_part import ANY, write_part
from nn_interpretability.study.numbers import entry
from nn_interpretability.study.toy_networks import PAIR, PAIR_AT, TOYS

SCHEMA = "toys/1"
EPSILON = 0.25
"""Stabiliser of the epsilon rule, absolute; scores of the toys are of the order of one."""

METHODS: Mapping[str, str] = {
    "input_x_gradient": "input × gradient",
    "occlusion": "occlusion",
    "integrated_gradients": "integrated gradients",
    "deeplift_rescale": "DeepLIFT, Rescale",
    "deeplift_reveal_cancel": "DeepLIFT, RevealCancel",
    "lrp_0": "LRP-0",
    "lrp_epsilon": f"LRP-ε, ε = {EPSILON:g}",
    "deeplift_rescale_published": "Rescale, as published",
    "deeplift_reveal_cancel_published": "RevealCancel, as published",
}
"""What is drawn, from top to bottom. Published multipliers are multiplied by the input, so that all are shares."""

PAIR_METHODS: Mapping[str, str] = {
    "gradient": "gradient",
    **METHODS,
    "lrp_0_ignore": "LRP-0, biases take nothing",
    "lrp_alpha1_beta0": "LRP, α = 1, β = 0",
}


def run_toys(
    output: Path | str,
    numbers_json: Path | str,
    *,
    name: str,
    steps: int,
    points: int,
    provenance: Mapping[str, Any],
    keys: Sequence[str] = ANY,
) -> None:
    """Explain the toys.

    Parameters
    ----------
    output
        The product, schema ``toys/1``.
    numbers_json
        Numbers behind ``toys.<name>.``: ``answer.<toy>.<method>.<input>`` and ``answer.<toy>.score``,
        ``pair.<network>.<method>.<input>``, ``heading.<method>``, ``matrix.<matrix>.<row>.<column>``;
        ``convolution.difference``, between both ways of the convolution's backward pass.
    name
        Of the entry in the configuration.
    steps
        Places along the axis of each toy.
    points
        Of the path of integrated gradients.
    provenance
        What makes the files.
    keys
        Of the numbers that the job declares.
    """
    arrays: dict[str, Array] = {}
    numbers: dict[str, Any] = {}
    source = f"toys/{name}.h5"
    for toy_name, toy in TOYS.items():
        places = torch.linspace(0, toy.end, steps, dtype=torch.float64)
        at = torch.tensor([toy.at], dtype=torch.float64)[:, None, None]
        along, answers = (_answers(toy.network(), x, METHODS, points) for x in (toy.inputs(places), at))
        step, axis = f"{toy_name}_step", f"{toy_name}_input"
        arrays |= {
            f"{toy_name}_along": Array(places.numpy(), (step,)),
            f"{toy_name}_score": Array(_gain(toy.network(), toy.inputs(places)).numpy(), (step,)),
            f"{toy_name}_values": Array(along.numpy(), ("method", step, axis)),
            f"{toy_name}_answers": Array(answers[:, 0].numpy(), ("method", axis)),
        }
        gain = float(_gain(toy.network(), at)[0])
        numbers[f"answer.{toy_name}.score"] = entry(gain, decimals=2, source=source)
        numbers |= _stated(f"answer.{toy_name}", answers[:, 0], METHODS, source)
    given = torch.tensor([PAIR_AT], dtype=torch.float64)[:, None, None]
    pair = torch.stack([_answers(make(), given, PAIR_METHODS, points)[:, 0] for make in PAIR.values()])
    arrays["pair_answers"] = Array(pair.numpy(), ("network", "pair_method", "pair_input"))
    for network, said in zip(PAIR, pair, strict=True):
        numbers |= _stated(f"pair.{network}", said, PAIR_METHODS, source)
    for matrix, values in lecture_matrices().items():
        arrays[matrix] = Array(values.numpy(), (f"{matrix}_row", f"{matrix}_column"))
        numbers |= {
            f"matrix.{matrix}.{row}.{column}": entry(int(value), source=source)
            for row, line in enumerate(values.tolist())
            for column, value in enumerate(line)
        }
    numbers |= {f"heading.{method}": entry(words, source=source) for method, words in PAIR_METHODS.items()}
    both = [arrays[f"convolution_{way}"].values for way in ("gradient", "again")]
    numbers["convolution.difference"] = entry(float(abs(both[0] - both[1]).max()), digits=1, source=source)
    write_hdf5(
        output,
        arrays,
        schema=SCHEMA,
        params={
            "steps": steps,
            "points": points,
            "epsilon": EPSILON,
            "headings": list(METHODS.values()),
            "toys": [{"name": name, "formula": toy.formula, "axis": toy.axis} for name, toy in TOYS.items()],
            "pair_at": list(PAIR_AT),
        },
        provenance=provenance,
        scales={"method": list(METHODS), "pair_method": list(PAIR_METHODS), "network": list(PAIR)},
    )
    write_part(numbers_json, {f"toys.{name}.{key}": value for key, value in numbers.items()}, keys=keys)


def explainer(method: str, model: nn.Module, points: int) -> Method:
    """A method with the settings of the toys: reference 0, nothing but one score to explain."""
    makers: Mapping[str, Callable[[], Method]] = {
        "gradient": lambda: Gradient(model),
        "input_x_gradient": lambda: InputXGradient(model),
        "occlusion": lambda: Occlusion(model, window=1),
        "integrated_gradients": lambda: IntegratedGradients(model, steps=points),
        "deeplift_rescale": lambda: DeepLIFT(model, rule="rescale"),
        "deeplift_reveal_cancel": lambda: DeepLIFT(model, rule="reveal_cancel"),
        "lrp_0": lambda: LRP(model, rule="0"),
        "lrp_0_ignore": lambda: LRP(model, rule="0", bias="ignore"),
        "lrp_epsilon": lambda: LRP(model, rule="epsilon", epsilon=EPSILON),
        "lrp_alpha1_beta0": lambda: LRP(model, rule="alpha_beta", alpha=1, beta=0),
        "deeplift_rescale_published": lambda: PublishedDeepLIFT(model, mode="rescale"),
        "deeplift_reveal_cancel_published": lambda: PublishedDeepLIFT(model, mode="reveal_cancel"),
    }
    return makers[method]()


def _answers(model: nn.Module, inputs: Tensor, methods: Mapping[str, str], points: int) -> Tensor:
    """Attributions ``(method, n, input)`` of the one score."""
    said = []
    for method in methods:
        values = explainer(method, model, points).interpret(inputs, 0).values
        said.append((values * inputs if method.endswith("_published") else values)[:, 0, 0])
    return torch.stack(said)


def _gain(model: nn.Module, inputs: Tensor) -> Tensor:
    """The score less that at zero, ``(n,)``."""
    with torch.no_grad():
        gain: Tensor = model(inputs)[:, 0] - model(torch.zeros_like(inputs[:1]))[:, 0]
    return gain


def _stated(key: str, answers: Tensor, methods: Mapping[str, str], source: str) -> dict[str, Any]:
    return {
        f"{key}.{method}.{place}": entry(value, decimals=2, source=source)
        for method, said in zip(methods, answers.tolist(), strict=True)
        for place, value in enumerate(said)
    }
