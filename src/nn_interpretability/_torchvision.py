"""Let ``import torchvision`` work beside a CPU-only torch.

The torchvision wheel on PyPI is linked against the CUDA build of torch. Beside a CPU-only torch its compiled
part cannot be loaded, so its operators are never declared, and the import fails with ``operator
torchvision::nms does not exist``. Models, data sets and transforms need none of these operators: declaring
the two that torchvision's Python code refers to is all that is missing. Calling them, for instance with
``torchvision.ops.nms``, still fails, with torchvision's own message.

`install` costs nothing: torch is not imported, and nothing happens until somebody imports torchvision. Where
the compiled part loads, torchvision is left alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder, ModuleSpec, PathFinder
from types import ModuleType

_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")


def install() -> None:
    """Prepare this process for ``import torchvision``; call it before that import, once or more often."""
    prepared = any(isinstance(finder, _Finder) for finder in sys.meta_path)
    if not prepared and "torchvision" not in sys.modules:
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds torchvision where Python would find it, and puts `_Loader` in front of its loader."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "torchvision":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    """Declares the missing operators just before the code of torchvision runs, then gets out of the way."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        if not any(_compiled_part_loads(folder) for folder in module.__path__):
            _declare_missing_operators()
        self._loader.exec_module(module)


def _compiled_part_loads(folder: str) -> bool:
    import torch

    spec = FileFinder(folder, (ExtensionFileLoader, EXTENSION_SUFFIXES)).find_spec("_C")
    if spec is None or spec.origin is None:
        return False
    try:
        # torchvision does the same a moment later; loading twice is harmless.
        torch.ops.load_library(spec.origin)
    except OSError:
        return False
    return True


def _declare_missing_operators() -> None:
    import torch

    for name in _OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", _SIGNATURE)
