"""Time and accuracy of training the small network, on MNIST (where it is found) and on the embedded digits.

Beside it, in the same run, a peer: the usual loop over a ``DataLoader`` of tensors, one epoch of the same
pictures in the same batches.  One thread, as every job of the workflow.

    python benchmarks/training.py [--epochs 6]
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

import argparse
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from nn_interpretability.data import digits
from nn_interpretability.models import build_model
from nn_interpretability.storage.product import read_json
from nn_interpretability.training.loop import train_classifier

RECIPE = {"batch_size": 128, "max_learning_rate": 0.01, "weight_decay": 0.0}
ROW = "{:<16}{:>9}{:>11}{:>9}{:>8}{:>7}{:>9}{:>7}{:>7}"
HEADER = ("data", "pictures", "prepare s", "train s", "test %", "n", "s/epoch", "peer", "ratio")


def peer_seconds(data: digits.Digits) -> float:
    """Seconds of one epoch of the loop that most tutorials have."""
    images = torch.from_numpy(data.train_images)[:, None].float() / 255
    loader = DataLoader(TensorDataset(images, torch.from_numpy(data.train_labels)), batch_size=128, shuffle=True)
    model = build_model("small_cnn")
    optimizer = torch.optim.Adam(model.parameters())
    begin = time.perf_counter()
    for batch, labels in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(batch), labels).backward()
        optimizer.step()
    return time.perf_counter() - begin


def measure(folder: Path, local: str | None, epochs: int, seed: int) -> str:
    """One row of the table."""
    begin = time.perf_counter()
    digits.prepare(
        folder / "digits.h5",
        folder / "digits.json",
        local=local,
        download=False,
        validation_share=0.1,
        seed=seed,
        limits=None,
        provenance={},
    )
    prepared = time.perf_counter()
    train_classifier(
        folder / "digits.h5",
        folder / "weights.safetensors",
        folder / "card.json",
        folder / "history.csv",
        architecture="small_cnn",
        epochs=epochs,
        seed=seed,
        device="cpu",
        provenance={},
        **RECIPE,
    )
    seconds = time.perf_counter() - prepared
    data, test = digits.load(folder / "digits.h5"), read_json(folder / "card.json")["test"]
    peer = peer_seconds(data)
    return ROW.format(
        data.source,
        len(data.train_labels),
        f"{prepared - begin:.1f}",
        f"{seconds:.1f}",
        f"{100 * test['accuracy']:.2f}",
        test["n"],
        f"{seconds / epochs:.2f}",
        f"{peer:.2f}",
        f"{peer * epochs / seconds:.2f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=2020)
    options = parser.parse_args()
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    local = os.environ.pop("NN_INTERPRETABILITY_DATA", None) or (str(beside) if beside.is_dir() else None)
    print(ROW.format(*HEADER))
    for place in dict.fromkeys((local, None)):
        with tempfile.TemporaryDirectory() as folder:
            print(measure(Path(folder), place, options.epochs, options.seed), flush=True)


if __name__ == "__main__":
    main()
