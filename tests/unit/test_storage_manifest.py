"""The manifest lists all products with their digests; the timings are the one file with clock and host."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from nn_interpretability.errors import BrokenProductError
from nn_interpretability.storage.manifest import _labelled, collect_timings, write_manifest
from nn_interpretability.storage.product import digest_of, read_json, write_text

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def test_the_manifest_lists_each_product_relative_and_sorted(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for name, text in {"b.txt": "xy", "a/c.txt": "abc"}.items():
        write_text(results / name, text)
    write_manifest(results, results / "manifest.json", [results / "b.txt", results / "a" / ".." / "a" / "c.txt"])
    manifest = read_json(results / "manifest.json")
    assert manifest["products"] == {
        "a/c.txt": {"bytes": 3, "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        "b.txt": {"bytes": 2, "sha256": digest_of(results / "b.txt")},
    }
    write_manifest(results, results / "again.json", [results / "a" / "c.txt", results / "b.txt"])
    assert digest_of(results / "again.json") == digest_of(results / "manifest.json")


def test_the_manifest_vouches_for_no_damaged_product(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "abc")
    (tmp_path / "a.txt").write_text("abd")
    with pytest.raises(BrokenProductError, match=r"a\.txt is damaged"):
        write_manifest(tmp_path, tmp_path / "manifest.json", [tmp_path / "a.txt"])
    assert not (tmp_path / "manifest.json").exists()


def test_the_manifest_lists_nothing_from_elsewhere(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "abc")
    with pytest.raises(ValueError, match=r"a\.txt is not below .*results"):
        write_manifest(tmp_path / "results", tmp_path / "manifest.json", [tmp_path / "a.txt"])


def test_timings_come_from_the_benchmark_files(tmp_path: Path) -> None:
    row = "12.5\t0:00:12\t345.25\t1\t1\t1\t1\t1\t1\t1\n"
    (tmp_path / "train.tsv").write_text(HEADER + row)
    (tmp_path / "short.tsv").write_text(HEADER + "0.0312\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\t0.00\t0\n")
    (tmp_path / "twice.tsv").write_text(HEADER + row + "3\t0:00:03\t-\t-\t-\t-\t-\t-\t-\t-\n")
    benchmarks = {
        "train_model:model=cnn": tmp_path / "train.tsv",
        "select_probes": tmp_path / "short.tsv",
        "attribute:attribution=lrp=0,model=cnn": tmp_path / "twice.tsv",
    }
    collect_timings(benchmarks, tmp_path / "timings.json")
    timings = read_json(tmp_path / "timings.json")
    for job in timings["jobs"]:
        assert job.pop("kind") == job["rule"]
    assert timings["jobs"] == [
        {
            "rule": "attribute",
            "wildcards": {"attribution": "lrp=0", "model": "cnn"},
            "seconds": 3,
            "max_rss_mib": None,
        },
        {"rule": "select_probes", "wildcards": {}, "seconds": 0.0312, "max_rss_mib": None},
        {
            "rule": "train_model",
            "wildcards": {"model": "cnn"},
            "seconds": 12.5,
            "max_rss_mib": 345.25,
        },
    ]
    assert timings["machine"]["host"] == platform.node()
    assert timings["machine"]["cores"] == os.cpu_count()
    assert timings["machine"]["processor"]
    assert timings["machine"]["device"]


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("train", HEADER, r"b\.tsv holds no measurements"),
        ("train:cnn", HEADER + "1\n", "the job 'train:cnn' is not named like"),
        (":model=cnn", HEADER + "1\n", "is not named like"),
    ],
)
def test_a_wrong_benchmark_is_named(tmp_path: Path, key: str, text: str, message: str) -> None:
    (tmp_path / "b.tsv").write_text(text)
    with pytest.raises(ValueError, match=message):
        collect_timings({key: tmp_path / "b.tsv"}, tmp_path / "timings.json")
    assert not (tmp_path / "timings.json").exists()


def test_a_label_is_read_from_a_file_of_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "information").write_text("Model: \t\t NVIDIA H100\nIRQ:   1\n")
    assert _labelled(tmp_path / "information", "Model") == "NVIDIA H100"
    assert _labelled(tmp_path / "information", "Name") is None
    assert _labelled(tmp_path / "absent", "Model") is None


def test_rules_made_in_a_loop_have_the_folder_of_their_benchmarks_in_common(tmp_path: Path) -> None:
    file = tmp_path / "benchmarks" / "attribute" / "cnn_lrp.tsv"
    file.parent.mkdir(parents=True)
    file.write_text("s\tmax_rss\n2.0\t100\n", encoding="utf-8")
    collect_timings({"attribute_cnn_lrp": file}, tmp_path / "timings.json")
    (job,) = read_json(tmp_path / "timings.json")["jobs"]
    assert (job["rule"], job["kind"]) == ("attribute_cnn_lrp", "attribute")
