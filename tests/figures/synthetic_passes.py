"""Made-up results of passes, small and the same each time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures.synthetic import PROVENANCE, pictures, waves

from nn_interpretability.config.passes import merged_settings
from nn_interpretability.config.validate import checked
from nn_interpretability.stochastic.files import save_result
from nn_interpretability.stochastic.result import PassesAttribution
from nn_interpretability.storage.hdf5 import Array
from nn_interpretability.study.merge_passes import write_numbers

PASSES, CLASSES, NEVER = 40, 10, 9


def passes_result(samples: int, entry: Mapping[str, Any], *, seed: int = 0) -> PassesAttribution:
    """Passes that never predict class 9, with maps that sum to their scores."""
    logits = np.random.default_rng(seed).normal(scale=3, size=(PASSES, samples, CLASSES))
    logits[..., NEVER] = -20
    logits[:, :, 1] += 2
    every = entry.get("target", "all") == "all"
    counts = np.stack([np.bincount(each.argmax(axis=1), minlength=CLASSES) for each in logits.swapaxes(0, 1)])
    score = logits.mean(axis=0) if every else logits.mean(axis=0).max(axis=1)
    variance = logits.var(axis=0) if every else logits.var(axis=0).max(axis=1)
    by_class = _maps((samples, CLASSES), phase=2) * (counts > 0)[:, :, None, None, None]
    products = entry.get("products", ["mean"])
    if entry.get("independent_masks"):  # each class from passes of its own
        others = np.random.default_rng(seed + 1).normal(scale=3, size=(CLASSES, *logits.shape))
        counts = np.stack([(others[c].argmax(axis=2) == c).sum(axis=0) for c in range(CLASSES)], axis=1)
        logits = others
        score, variance = (
            np.stack([getattr(others[c], how)(axis=0)[:, c] for c in range(CLASSES)], axis=1) for how in ("mean", "var")
        )
    return PassesAttribution(
        mean=_tensor(_maps(score.shape, total=score)),
        counts=_tensor(counts),
        logits=_tensor(logits),
        undisturbed=_tensor(np.median(logits.reshape(-1, samples, CLASSES), axis=0)),
        score_mean=_tensor(score),
        score_variance=_tensor(variance),
        target=None if every else _tensor(logits.mean(axis=0).argmax(axis=1)),
        block=10,
        covariance=_tensor(_maps(score.shape, phase=1, total=variance)) if "covariance" in products else None,
        by_predicted_class=_tensor(by_class) if "by_predicted_class" in products else None,
        raw=_tensor(_maps((1, samples), phase=3)) if entry.get("keep_raw") else None,
        identity={"block": 10},
    )


def write_pass_attribution(folder: Path, name: str, config: Mapping[str, Any]) -> tuple[Path, Path]:
    """The merged file of an entry of the configuration, and its numbers."""
    filled = checked(config)
    drawn = filled["passes"][config["pass_attributions"][name]["passes"]]
    angles = filled["probes"][drawn["probe"]].get("angles")
    if angles and drawn["pictures"]:
        angles = [angles[place] for place in drawn["pictures"]]
    samples = len(drawn["pictures"] or angles or range(3))
    shown = {
        "images": Array(pictures(samples), ("sample", "channel", "y", "x")),
        "label": Array(np.ones(samples, np.int64) if angles else np.arange(samples), ("sample",)),
        "picture": Array(np.arange(samples), ("sample",)),
    }
    if angles:
        shown["angle"] = Array(np.asarray(angles, np.float64), ("sample",))
    settings = merged_settings(filled, name)
    params = {key: settings[key] for key in ("target", "independent_masks")} | settings["description"]
    result = passes_result(samples, config["pass_attributions"][name])
    merged, numbers = folder / f"pass_attributions/{name}.h5", folder / f"numbers/passes_{name}.json"
    save_result(result, merged, params=params, extra=shown, provenance={**PROVENANCE, "rule": "merge_passes"})
    write_numbers(result, numbers, name=name)
    return merged, numbers


def _maps(shape: tuple[int, ...], *, phase: float = 0.0, total: np.ndarray | None = None) -> np.ndarray:
    """Smooth maps ``(*shape, 1, 8, 8)``, which sum to ``total``."""
    maps = waves(int(np.prod(shape)), phase=phase).reshape(*shape, 1, 8, 8).astype(np.float64)
    if total is not None:
        maps += (total - maps.sum(axis=(-3, -2, -1)))[..., None, None, None] / 64
    return maps


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
