"""A results folder is checked file by file: digest, readability, schema, no NaN."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from nn_interpretability.errors import LockedError
from nn_interpretability.storage.hdf5 import Array, write_hdf5
from nn_interpretability.storage.lock import RUN_VARIABLE, RunLock
from nn_interpretability.storage.product import digest_of, sidecar_of, write_csv, write_json, write_text, writing
from nn_interpretability.storage.verify import SCHEMAS, verify

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "nn_interpretability"


def good_results(results: Path) -> Path:
    values = Array(np.arange(6.0).reshape(2, 3), ("sample", "x"))
    write_hdf5(
        results / "attributions/lrp.h5",
        {"values": values},
        schema="attribution/1",
        params={},
        provenance={},
        scales={"x": [0.5, 1.5, 2.5]},
    )
    write_json(results / "models/cnn/card.json", {"accuracy": 0.99})
    write_csv(results / "metrics.csv", pd.DataFrame({"method": ["a", "b"], "value": [0.5, 1.5]}))
    with writing(results / "models/cnn/weights.safetensors") as temporary:
        save_file({"w": np.zeros(3, "float32")}, temporary)
    for name, bytes_ in {
        "figures/a.pdf": b"%PDF-1.4\n%%EOF\n",
        "figures/a.png": b"\x89PNG\r\n\x1a\n....IEND\xaeB`\x82",
        "report/report.zip": b"anything",
        "report/numbers.tex": b"\\relax",
    }.items():
        with writing(results / name) as temporary:
            temporary.write_bytes(bytes_)
    (results / "logs").mkdir()
    (results / "logs" / "a.json").write_text("not a product")
    (results / "benchmarks").mkdir()
    (results / "benchmarks" / "a.csv").write_text("not a product")
    (results / "attributions/.lrp.h5.1.tmp.h5").write_text("of a killed writer")
    (results / "README.md").write_text("not a product")
    return results


def resign(path: Path) -> None:
    """Make the digest fit, so that only the content is wrong."""
    sidecar_of(path).write_text(f"{digest_of(path)}  {path.name}\n")


def nan_in_hdf5(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["values"][1, 2] = np.nan


def nan_in_a_scale(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["x"][1] = np.nan


def unknown_schema(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = "attribution/99"


def nan_in_safetensors(path: Path) -> None:
    save_file({"w": np.array([0, np.inf], "float32")}, path)


def text(content: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        path.write_text(content)

    return spoil


def test_good_results_have_no_problem(tmp_path: Path) -> None:
    results = good_results(tmp_path / "results")
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    assert verify(results) == []
    assert before == {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    assert verify(results, set_aside=True) == []


@pytest.mark.parametrize(
    "name",
    [
        "attributions/lrp.h5", "models/cnn/card.json", "metrics.csv", "models/cnn/weights.safetensors",
        "figures/a.pdf", "figures/a.png", "report/report.zip", "report/numbers.tex",
    ],
)  # fmt: skip
def test_a_changed_byte_is_found_in_every_product(tmp_path: Path, name: str) -> None:
    path = good_results(tmp_path / "results") / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (problem,) = verify(tmp_path / "results")
    assert problem.path == path
    assert digest_of(path) in problem.what
    assert "run the same command again" in problem.advice


@pytest.mark.parametrize(
    ("name", "spoil", "what"),
    [
        ("attributions/lrp.h5", nan_in_hdf5, r"has nan in 'values' at index \(1, 2\)"),
        ("attributions/lrp.h5", nan_in_a_scale, r"has nan in 'x' at index \(1,\)"),
        ("attributions/lrp.h5", unknown_schema, "has the schema 'attribution/99', which"),
        ("attributions/lrp.h5", text("no hdf5"), r"cannot be read \(OSError"),
        ("models/cnn/card.json", text('{"a": NaN}'), "holds NaN"),
        ("models/cnn/card.json", text('{"a": '), r"cannot be read \(JSONDecodeError"),
        ("metrics.csv", text("a,value\nx,1\ny,nan\n"), "holds NaN or infinity in line 3"),
        ("metrics.csv", text("a,value\nx,1\ny\n"), "has 1 cells in line 3, but 2 columns"),
        ("metrics.csv", text(""), "is empty"),
        ("models/cnn/weights.safetensors", nan_in_safetensors, r"has inf in 'w' at index \(1,\)"),
        ("models/cnn/weights.safetensors", text("x"), "cannot be read"),
        ("figures/a.pdf", text("%PDF-1.4\n"), "is not a whole PDF file"),
        ("figures/a.png", text("PNG"), "is not a whole PNG file"),
    ],
)
def test_wrong_content_is_found_though_its_digest_fits(
    tmp_path: Path, name: str, spoil: Callable[[Path], None], what: str
) -> None:
    path = good_results(tmp_path / "results") / name
    spoil(path)
    resign(path)
    (problem,) = verify(tmp_path / "results")
    assert problem.path == path
    with pytest.raises(AssertionError, match=what):
        raise AssertionError(problem.what)


def test_a_product_without_digest_and_a_digest_without_product(tmp_path: Path) -> None:
    results = good_results(tmp_path / "results")
    sidecar_of(results / "figures/a.pdf").unlink()
    (results / "metrics.csv").unlink()
    first, second = verify(results)
    assert (first.path, second.path) == (results / "figures/a.pdf", results / "metrics.csv")
    assert "has no digest" in first.what
    assert "is missing" in second.what
    assert str(second).startswith(f"{results / 'metrics.csv'}: is missing")


def test_broken_products_are_set_aside_and_the_others_stay(tmp_path: Path) -> None:
    results = good_results(tmp_path / "results")
    (results / "metrics.csv").write_text("changed")
    (results / "figures/a.pdf").unlink()
    before = {path.relative_to(results).as_posix() for path in results.rglob("*")}
    broken, missing = sorted(verify(results, set_aside=True), key=lambda problem: "missing" in problem.what)
    assert "it was renamed to metrics.csv.broken" in broken.advice
    assert "its digest was removed" in missing.advice
    after = {path.relative_to(results).as_posix() for path in results.rglob("*")}
    assert before - after == {"metrics.csv", "metrics.csv.sha256", "figures/a.pdf.sha256"}
    assert after - before == {"metrics.csv.broken", ".lock"}
    assert verify(results) == []


def test_nothing_is_set_aside_under_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = good_results(tmp_path / "results")
    (results / "metrics.csv").write_text("changed")
    with RunLock().acquire(results), monkeypatch.context() as another_shell:
        another_shell.delenv(RUN_VARIABLE)
        assert len(verify(results)) == 1
        with pytest.raises(LockedError):
            verify(results, set_aside=True)
    assert (results / "metrics.csv").exists()


def test_a_results_folder_must_exist(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "")
    for path in (tmp_path / "results", tmp_path / "a.txt"):
        with pytest.raises(NotADirectoryError, match="give the results folder"):
            verify(path)


def test_every_schema_that_the_package_writes_is_known() -> None:
    written = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "schema" and isinstance(node.value, ast.Constant):
                written.add(node.value.value)
            if isinstance(node, ast.Assign) and any(getattr(t, "id", "").endswith("SCHEMA") for t in node.targets):
                written.add(getattr(node.value, "value", None))
    assert "digits/1" in written
    assert written - {None} <= SCHEMAS
