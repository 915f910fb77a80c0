"""Where the digits come from, and what happens when a file or the network is not there or not right."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_mnist import FOLDER, TEST, TRAIN, tiny_files, tiny_source, write_files

from nn_interpretability.data import digits, embedded, mnist, sources
from nn_interpretability.data.splits import first_of_class
from nn_interpretability.errors import ConfigError, DataError

IMAGES = "train-images-idx3-ubyte"


@pytest.fixture(autouse=True)
def _no_data_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sources.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr(embedded, "TRAIN_IMAGES", 1400)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return tiny_files()


def prepare(folder: Path, source: sources.Source, **changes: Any) -> digits.Digits:
    settings: dict[str, Any] = {"local": None, "download": False, "validation_share": 0.1, "seed": 3, "limits": None}
    digits.prepare(folder / "digits.h5", folder / "digits.json", provenance={}, source=source, **settings | changes)
    loaded = digits.load(folder / "digits.h5")
    assert json.loads((folder / "digits.json").read_text()) == loaded.record
    return loaded


@pytest.mark.parametrize("packed", [False, True])
def test_local_files_plain_or_packed(tmp_path: Path, files: dict[str, bytes], packed: bool):
    write_files(files, tmp_path / "data" / FOLDER, packed=packed)
    loaded = prepare(tmp_path, tiny_source(files), local=str(tmp_path / "data"))
    raw = mnist.read_mnist(files)
    assert loaded.source == "mnist-local"
    assert loaded.record["files"] == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert loaded.record["counts"] == {"train": 270, "validation": 30, "test": TEST, "augmented": 0}
    np.testing.assert_array_equal(loaded.train_images, raw.train_images[loaded.train_source_index])
    np.testing.assert_array_equal(loaded.train_labels, raw.train_labels[loaded.train_source_index])
    np.testing.assert_array_equal(loaded.validation_images, raw.train_images[loaded.validation_source_index])
    np.testing.assert_array_equal(loaded.test_images, raw.test_images)
    both = np.concatenate([loaded.train_source_index, loaded.validation_source_index])
    np.testing.assert_array_equal(np.sort(both), np.arange(TRAIN))


def test_environment_variable_serves_where_the_configured_folder_has_nothing(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
):
    write_files(files, tmp_path / "data" / FOLDER)
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path / "data"))
    loaded = prepare(tmp_path, tiny_source(files), local=str(tmp_path / "elsewhere"))
    assert loaded.source == "mnist-local"
    assert loaded.reason == "found in the folder that NN_INTERPRETABILITY_DATA names"


def test_no_path_of_this_machine_is_stored(tmp_path: Path, files: dict[str, bytes]):
    write_files(files, tmp_path / "data" / FOLDER)
    prepare(tmp_path, tiny_source(files), local=str(tmp_path / "data"))
    assert str(tmp_path) not in (tmp_path / "digits.json").read_text()
    assert str(tmp_path).encode() not in (tmp_path / "digits.h5").read_bytes()


def test_same_seed_same_bytes_other_seed_other_split(tmp_path: Path, files: dict[str, bytes]):
    write_files(files, tmp_path / "data" / FOLDER)
    local = str(tmp_path / "data")
    first = prepare(tmp_path / "a", tiny_source(files), local=local)
    prepare(tmp_path / "b", tiny_source(files), local=local)
    assert (tmp_path / "a/digits.h5").read_bytes() == (tmp_path / "b/digits.h5").read_bytes()
    other = prepare(tmp_path / "c", tiny_source(files), local=local, seed=4)
    assert not np.array_equal(first.validation_source_index, other.validation_source_index)


def damage_flip(content: bytes) -> bytes:
    return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]


def damage_cut(content: bytes) -> bytes:
    return content[:-100]


def damage_extend(content: bytes) -> bytes:
    return content + b"more"


def damage_empty(content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [damage_flip, damage_cut, damage_extend, damage_empty])
def test_a_damaged_local_file_is_named_with_both_digests_and_left_alone(
    tmp_path: Path, files: dict[str, bytes], damage
):
    folder = write_files(files, tmp_path / "data" / FOLDER)
    damaged = damage(files[IMAGES])
    (folder / IMAGES).write_bytes(damaged)
    with pytest.raises(DataError) as caught:
        prepare(tmp_path, tiny_source(files), local=str(tmp_path / "data"), download=True)
    message = str(caught.value)
    assert str(folder / IMAGES) in message
    assert hashlib.sha256(damaged).hexdigest() in message
    assert hashlib.sha256(files[IMAGES]).hexdigest() in message
    assert "not used, and not changed" in message
    assert (folder / IMAGES).read_bytes() == damaged
    assert not list(tmp_path.glob("digits*"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[: len(packed) // 2],
        lambda packed: b"\x1f\x8b" + bytes(50),
        lambda packed: b"no gzip at all",
    ],
)
def test_a_damaged_packed_file_is_named(tmp_path: Path, files: dict[str, bytes], damage):
    folder = write_files(files, tmp_path / "data" / FOLDER, packed=True)
    path = folder / f"{IMAGES}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=rf"{path} is not the published {IMAGES}.*cannot be read"):
        prepare(tmp_path, tiny_source(files), local=str(tmp_path / "data"))


def test_a_packed_file_that_unpacks_to_more_is_not_unpacked_whole(tmp_path: Path, files: dict[str, bytes]):
    folder = write_files(files, tmp_path / "data" / FOLDER, packed=True)
    (folder / f"{IMAGES}.gz").write_bytes(gzip.compress(files[IMAGES] + bytes(10**7)))
    with pytest.raises(DataError, match="longer content"):
        prepare(tmp_path, tiny_source(files), local=str(tmp_path / "data"))


def test_right_digest_but_wrong_labels_is_refused(files: dict[str, bytes]):
    labels = "train-labels-idx1-ubyte"
    with pytest.raises(DataError, match=f"{labels} has the labels .*10.*; expected 0 to 9"):
        mnist.read_mnist({**files, labels: files[labels][:-1] + b"\x0a"})
    with pytest.raises(DataError, match=r"300 pictures, .* 80 labels"):
        mnist.read_mnist({**files, labels: files["t10k-labels-idx1-ubyte"]})


def test_nothing_local_and_no_download_means_the_stand_in_and_says_so(
    tmp_path: Path, files: dict[str, bytes], caplog: pytest.LogCaptureFixture
):
    folder = write_files(files, tmp_path / "data" / FOLDER)
    (folder / IMAGES).unlink()
    loaded = prepare(tmp_path, tiny_source(files), local=str(tmp_path / "data"))
    assert loaded.source == "embedded"
    assert IMAGES in loaded.reason
    assert "NN_INTERPRETABILITY_DATA is not set" in loaded.reason
    assert "data.download is false" in loaded.reason
    assert any(loaded.reason in record.message for record in caplog.records if record.levelname == "WARNING")


def test_download_passes_over_a_mirror_with_an_altered_file(
    tmp_path: Path, files: dict[str, bytes], caplog: pytest.LogCaptureFixture
):
    altered = {**files, IMAGES: damage_flip(files[IMAGES])}
    bad = write_files(altered, tmp_path / "bad", packed=True).as_uri()
    good = write_files(files, tmp_path / "good", packed=True).as_uri()
    loaded = prepare(tmp_path, tiny_source(files, bad, good), download=True)
    assert loaded.source == "mnist-download"
    np.testing.assert_array_equal(loaded.test_images, mnist.read_mnist(files).test_images)
    assert "it was discarded" in caplog.text


def test_download_of_damaged_files_only_ends_in_the_stand_in_with_the_reason(tmp_path: Path, files: dict[str, bytes]):
    altered = {**files, IMAGES: damage_flip(files[IMAGES])}
    bad = write_files(altered, tmp_path / "bad", packed=True).as_uri()
    cut = write_files(files, tmp_path / "cut", packed=True)
    (cut / f"{IMAGES}.gz").write_bytes(gzip.compress(files[IMAGES])[:-500])
    loaded = prepare(tmp_path, tiny_source(files, bad, cut.as_uri(), (tmp_path / "none").as_uri()), download=True)
    assert loaded.source == "embedded"
    assert hashlib.sha256(altered[IMAGES]).hexdigest() in loaded.reason
    assert "ends too early" in loaded.reason
    assert "No such file" in loaded.reason
    assert not list(tmp_path.rglob("*.part"))


def test_download_never_unpacks_more_than_the_file_has(tmp_path: Path, files: dict[str, bytes]):
    bomb = write_files(files, tmp_path / "bomb", packed=True)
    (bomb / f"{IMAGES}.gz").write_bytes(gzip.compress(files[IMAGES] + bytes(10**7)))
    with pytest.raises(sources.DownloadError, match=rf"\({len(files[IMAGES]) + 1} bytes\)"):
        sources.download(tiny_source(files, bomb.as_uri()))


def test_mirrors_that_fail_alike_are_told_in_one_go(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch):
    def unknown(*_args: Any, **_options: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(sources.DownloadError) as caught:
        sources.download(tiny_source(files, "http://one.invalid", "https://two.invalid"))
    assert str(caught.value) == f"{IMAGES}: one.invalid, two.invalid: Name or service not known"


@pytest.fixture
def dripping_server() -> Iterator[str]:
    """A server that sends a little of the file now and then, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not ended.wait(0.02):
                    connection.sendall(b"x")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        ended.set()
        thread.join(5)


def test_download_gives_up_when_its_time_is_over(
    files: dict[str, bytes], dripping_server: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(sources.DownloadError, match=r"out of time|no answer within 0\.3 s"):
        sources.download(tiny_source(files, dripping_server), timeout=0.3)


def test_download_gives_up_on_a_name_server_that_never_answers(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
):
    ended = threading.Event()
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: ended.wait(20) or [])
    try:
        with pytest.raises(sources.DownloadError, match=r"no answer within 0\.2 s"):
            sources.download(tiny_source(files, "http://mirror.invalid"), timeout=0.2)
    finally:
        ended.set()


def test_the_stand_in_does_not_replace_mnist(tmp_path: Path, files: dict[str, bytes]):
    write_files(files, tmp_path / "data" / FOLDER)
    prepare(tmp_path, tiny_source(files), local=str(tmp_path / "data"))
    before = (tmp_path / "digits.h5").read_bytes()
    earlier = digits.earlier_source(tmp_path / "digits.json")
    with pytest.raises(DataError, match=r"digits\.h5 holds MNIST, and was not replaced.*data\.local"):
        prepare(tmp_path, tiny_source(files), at_least=earlier)
    assert (tmp_path / "digits.h5").read_bytes() == before
    # the embedded digits may replace themselves, and MNIST may replace them
    prepare(tmp_path / "other", tiny_source(files), at_least="embedded")
    prepare(tmp_path / "other", tiny_source(files), local=str(tmp_path / "data"), at_least="embedded")
    assert digits.earlier_source(tmp_path / "none.json") is None


def test_limits_make_it_small_and_keep_the_probes(tmp_path: Path, files: dict[str, bytes]):
    write_files(files, tmp_path / "data" / FOLDER)
    limits = {"train_limit": 100, "test_limit": 40}
    loaded = prepare(tmp_path, tiny_source(files), local=str(tmp_path / "data"), limits=limits)
    assert [len(loaded.train_labels), len(loaded.validation_labels), len(loaded.test_labels)] == [90, 10, 40]
    assert np.bincount(loaded.test_labels).tolist() == [4] * 10
    np.testing.assert_array_equal(loaded.test_images, mnist.read_mnist(files).test_images[loaded.test_source_index])
    probes = first_of_class(mnist.read_mnist(files).train_labels)
    assert set(probes) <= set(loaded.train_source_index)


def test_limits_hold_for_the_stand_in_too(tmp_path: Path, files: dict[str, bytes]):
    loaded = prepare(tmp_path, tiny_source(files), limits={"train_limit": 1390, "test_limit": None})
    assert len(loaded.train_labels) + len(loaded.validation_labels) == 1390
    assert loaded.record["counts"]["augmented"] == 1390 - 1347


@pytest.mark.parametrize("limits", [{"train": 5}, {"test_limit": 0}, {"train_limit": 2.5}, {"train_limit": True}])
def test_limits_that_make_no_sense(tmp_path: Path, files: dict[str, bytes], limits: dict[str, Any]):
    with pytest.raises(ConfigError, match="whole number above 0"):
        prepare(tmp_path, tiny_source(files), limits=limits)
    assert not list(tmp_path.iterdir())


def test_stand_in_keeps_test_pictures_out_of_training(tmp_path: Path, files: dict[str, bytes]):
    loaded = prepare(tmp_path, tiny_source(files))
    parts = [loaded.train_source_index, loaded.validation_source_index, loaded.test_source_index]
    train, validation, test = (set(part) for part in parts)
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert len(train | validation | test) == 1797
    assert len(loaded.train_labels) == 1400  # augmented; the other parts are not
    assert len(loaded.validation_labels) == len(validation)
    assert len(loaded.test_labels) == len(test) == 450


def test_augmented_pictures_have_the_label_and_the_index_of_what_they_were_made_from(
    tmp_path: Path, files: dict[str, bytes]
):
    loaded = prepare(tmp_path, tiny_source(files))
    count = loaded.record["counts"]["augmented"]
    originals = {index: row for row, index in enumerate(loaded.train_source_index[:-count])}
    assert len(originals) == len(loaded.train_labels) - count  # all originals come first
    rows = np.array([originals[index] for index in loaded.train_source_index[-count:]])
    np.testing.assert_array_equal(loaded.train_labels[-count:], loaded.train_labels[rows])
    pixels = loaded.train_images.reshape(len(loaded.train_labels), -1).astype(float)
    alike = np.corrcoef(pixels[-count:], pixels[rows])[:count, count:]
    assert np.diag(alike).mean() > 0.8
    assert np.diag(alike[::-1]).mean() < 0.6


def test_look_up_finds_reads_nothing_and_forgets_the_path(tmp_path: Path, files: dict[str, bytes], monkeypatch):
    monkeypatch.setattr(sources, "load", lambda: {"mnist": tiny_source(files)})
    assert digits.look_up(None) == {"source": "remote"}
    folder = write_files(files, tmp_path / "data" / FOLDER)
    found = {"source": "mnist-local", "folder": FOLDER, "size": sum(map(len, files.values()))}
    assert digits.look_up(str(tmp_path / "data")) == found
    (folder / IMAGES).write_bytes(b"short")
    assert digits.look_up(str(tmp_path / "data"))["size"] < found["size"]


def test_look_up_reacts_to_a_better_source_and_not_to_a_worse_one(
    tmp_path: Path, files: dict[str, bytes], monkeypatch, caplog
):
    monkeypatch.setattr(sources, "load", lambda: {"mnist": tiny_source(files)})
    write_files(files, tmp_path / "data" / FOLDER)
    local, record = str(tmp_path / "data"), tmp_path / "digits.json"
    prepare(tmp_path, tiny_source(files))
    assert digits.look_up(None, record) == {"source": "remote"}
    better = digits.look_up(local, record)
    assert better["source"] == "mnist-local"
    prepare(tmp_path, tiny_source(files), local=local)
    assert digits.look_up(local, record) == better
    caplog.clear()
    assert digits.look_up(None, record) == better
    assert "no longer there" in caplog.text


def test_look_up_keeps_what_was_downloaded(tmp_path: Path, files: dict[str, bytes], monkeypatch):
    monkeypatch.setattr(sources, "load", lambda: {"mnist": tiny_source(files)})
    mirror = write_files(files, tmp_path / "mirror", packed=True).as_uri()
    prepare(tmp_path, tiny_source(files, mirror), download=True)
    write_files(files, tmp_path / "data" / FOLDER)
    assert digits.look_up(str(tmp_path / "data"), tmp_path / "digits.json") == {"source": "remote"}


@pytest.mark.parametrize("content", ["", "{", "[]", "\xff"])
def test_look_up_survives_a_broken_record(tmp_path: Path, content: str):
    record = tmp_path / "digits.json"
    record.write_bytes(content.encode("latin-1"))
    assert digits.look_up(None, record) == {"source": "remote"}


def test_planning_a_workflow_imports_neither_torch_nor_sklearn():
    code = (
        "import sys; from nn_interpretability.data.digits import look_up; look_up(None);"
        "assert not {'torch', 'sklearn', 'pandas', 'scipy'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_published_files_are_those_of_the_list(study_data: Path):
    source = sources.load()["mnist"]
    copy, _ = sources.find_local(source, study_data)
    assert copy is not None
    raw = mnist.read_mnist({file.name: sources.read_local(file, copy.files[file.name]) for file in source.files})
    assert raw.train_images.shape == (60_000, 28, 28)
    assert raw.test_images.shape == (10_000, 28, 28)
    # the study's ten pictures, first of each class in the order of the training file
    assert first_of_class(raw.train_labels).tolist() == [1, 3, 5, 7, 2, 0, 13, 15, 17, 4]


def test_every_source_is_complete():
    for source in sources.load().values():
        assert source.licence
        assert source.title
        for file in source.files:
            assert len(file.sha256) == 64
            assert file.size > 0
            assert all(url.startswith("https://") for url in file.urls)
    assert all(len(file.urls) >= 2 for file in sources.load()["mnist"].files)
