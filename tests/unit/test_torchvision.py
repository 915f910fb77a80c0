"""`import torchvision` beside a CPU-only torch: each case in a process of its own, as imports happen once."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

DECLARED = "import torch; print([hasattr(torch.ops.torchvision, name) for name in ('nms', 'qnms')])"


def run(code: str, *path: Path) -> str:
    """Run ``code`` in a new interpreter that looks for modules in ``path`` first; return what it prints."""
    source = Path(__file__).resolve().parents[2] / "src"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [*path, source]))}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def fake_torchvision(folder: Path, compiled: bytes | None) -> Path:
    package = folder / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("VALUE = 1\n")
    if compiled is not None:
        (package / "_C.so").write_bytes(compiled)
    return folder


def a_library_that_loads() -> bytes:
    for name in ("_ctypes", "_json", "math"):
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None and spec.origin.endswith(".so"):
            return Path(spec.origin).read_bytes()
    pytest.skip("this Python has no compiled module in a file of its own")


def test_torchvision_works_after_importing_the_package_and_keeps_its_own_loader() -> None:
    code = (
        "import nn_interpretability, torch, torchvision\n"
        "model = torchvision.models.resnet18().eval()\n"
        "print(tuple(model(torch.zeros(1, 3, 64, 64)).shape), type(torchvision.__spec__.loader).__name__)"
    )
    assert run(code) == "(1, 1000) SourceFileLoader"


def test_importing_the_package_and_looking_for_torchvision_imports_neither_torch_nor_torchvision() -> None:
    code = (
        "import sys, importlib.util, nn_interpretability\n"
        "found = importlib.util.find_spec('torchvision') is not None\n"
        "print(found, [name in sys.modules for name in ('torch', 'torchvision')])"
    )
    assert run(code) == "True [False, False]"


def test_a_compiled_part_that_loads_is_left_alone(tmp_path: Path) -> None:
    fake_torchvision(tmp_path, a_library_that_loads())
    code = f"import nn_interpretability, torchvision; assert torchvision.VALUE == 1; {DECLARED}"
    assert run(code, tmp_path) == "[False, False]"


@pytest.mark.parametrize("compiled", [None, b"no shared library"])
def test_without_a_compiled_part_that_loads_the_operators_are_declared(tmp_path: Path, compiled: bytes | None) -> None:
    fake_torchvision(tmp_path, compiled)
    code = f"import nn_interpretability, torchvision; assert torchvision.VALUE == 1; {DECLARED}"
    assert run(code, tmp_path) == "[True, True]"


def test_installing_again_or_after_torchvision_changes_nothing() -> None:
    code = (
        "import sys, nn_interpretability\n"
        "from nn_interpretability._torchvision import install\n"
        "length = len(sys.meta_path); install(); assert len(sys.meta_path) == length\n"
        "import torchvision\n"
        "sys.meta_path = [finder for finder in sys.meta_path if 'nn_interpretability' not in str(finder)]\n"
        "length = len(sys.meta_path); install(); print(len(sys.meta_path) == length)"
    )
    assert run(code) == "True"


def test_an_operator_that_is_not_there_fails_with_the_words_of_torchvision() -> None:
    code = (
        "import nn_interpretability, torch, torchvision\n"
        "try:\n"
        "    torchvision.ops.nms(torch.rand(2, 4), torch.rand(2), 0.5)\n"
        "except RuntimeError as error:\n"
        "    print('custom C++ ops' in str(error))\n"
        "else:\n"
        "    print(torchvision.extension._has_ops())"
    )
    assert run(code) == "True"


def test_a_missing_torchvision_is_missing_as_usual(tmp_path: Path) -> None:
    code = (
        "import sys, nn_interpretability\n"
        "sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n"
        "try:\n"
        "    import torchvision\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error.name)"
    )
    assert run(code) == "torchvision"


def test_an_oracle_that_imports_torchvision_can_be_imported_after_the_package() -> None:
    pytest.importorskip("zennit")
    assert run("import nn_interpretability, zennit; print('imported')") == "imported"
