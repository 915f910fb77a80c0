"""A data set in MNIST's format that is small enough to write in every test: class c is a bright bar in row 2c + 4."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np

from nn_interpretability.data.sources import Source, SourceFile

FOLDER = "MNIST/raw"
TRAIN, TEST = 300, 80


def idx_bytes(values: np.ndarray) -> bytes:
    """Encode unsigned bytes as an idx file."""
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def tiny_files(seed: int = 0) -> dict[str, bytes]:
    """Make the four files, by their names in MNIST."""
    generator = np.random.default_rng(seed)
    files = {}
    for part, count in {"train": TRAIN, "t10k": TEST}.items():
        labels = generator.permutation(np.arange(count) % 10).astype(np.uint8)
        images = generator.integers(0, 60, (count, 28, 28), dtype=np.uint8)
        images[np.arange(count), 2 * labels.astype(int) + 4, 4:24] = 255
        files[f"{part}-images-idx3-ubyte"] = idx_bytes(images)
        files[f"{part}-labels-idx1-ubyte"] = idx_bytes(labels)
    return files


def tiny_source(files: dict[str, bytes], *mirrors: str) -> Source:
    """Describe the files as ``reference/sources.yaml`` would."""
    return Source(
        title="tiny digits",
        authors="nobody",
        licence="none",
        folder=FOLDER,
        files=tuple(
            SourceFile(
                name=name,
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                download_size=len(content),
                urls=tuple(f"{mirror}/{name}.gz" for mirror in mirrors) or ("https://mirror.invalid/x",),
            )
            for name, content in files.items()
        ),
    )


def write_files(files: dict[str, bytes], folder: Path, *, packed: bool = False) -> Path:
    """Write the files, plain or as ``.gz``, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)
    return folder
