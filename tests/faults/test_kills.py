"""A run that is killed, damaged, refused or out of room: the same command ends with the same bits."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import pytest
from workflow_runs import STUDY, command, environment, run, snapshot

from nn_interpretability.cli import main
from nn_interpretability.storage.lock import RunLock
from nn_interpretability.storage.product import digest_of, sidecar_of
from nn_interpretability.storage.verify import verify

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("NN_INTERPRETABILITY_KILLS", "20"))
RESULTS = "Ergebnisse für alle"
"""With spaces and a letter beyond ASCII, as folders of people have them."""

PRODUCTS = ("attributions/gradient.h5", "attributions/lrp_0.h5")
TARGETS = tuple(f"{RESULTS}/{name}" for name in PRODUCTS)
CONFIG = Path(__file__).with_name("small_run.yaml")


@dataclass(frozen=True)
class Small:
    """A folder, and the code that runs in it: digits, a network, two explanations."""

    folder: Path
    checkout: Path

    @property
    def results(self) -> Path:
        return self.folder / RESULTS

    def words(self, *targets: str) -> list[str]:
        settings = ("--config", f"results={RESULTS}")
        return command(*settings, "--", *(targets or TARGETS), checkout=self.checkout, configs=(STUDY, CONFIG))

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.words(), cwd=self.folder, env=environment(self.checkout), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def run(self, *targets: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(*targets), cwd=self.folder, env=environment(self.checkout), capture_output=True, text=True,
            timeout=900, check=False,
        )  # fmt: skip

    def digests(self) -> dict[str, str]:
        """SHA-256 of all products; their clocks and logs are elsewhere."""
        skipped = {"logs", "benchmarks", "provenance"}
        files = (path for path in self.results.rglob("*") if path.is_file() and path.name != ".lock")
        named = {path.relative_to(self.results): path for path in files}
        return {
            str(k): hashlib.sha256(p.read_bytes()).hexdigest() for k, p in named.items() if not skipped & {*k.parts}
        }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return snapshot(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def undisturbed(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A run that nobody disturbed; how long it took is the span in which others are killed."""
    small = Small(tmp_path_factory.mktemp("undisturbed"), checkout)
    told = small.run()
    assert told.returncode == 0, told.stderr
    assert verify(small.results) == []
    return small


@pytest.fixture
def copy(undisturbed: Small, tmp_path: Path) -> Small:
    shutil.copytree(undisturbed.folder, tmp_path / "copy", symlinks=True)
    return replace(undisturbed, folder=tmp_path / "copy")


def members(session: int) -> list[int]:
    """The processes of a session that live."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and os.getsid(int(entry.name)) == session:
                    found.append(int(entry.name))
            except (OSError, ProcessLookupError):
                continue
    return found


def killed(running: subprocess.Popen[str]) -> None:
    """Kill all processes of a run, as when the machine goes down."""
    for pid in members(running.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    running.communicate(timeout=60)


def test_killed_at_random_moments_the_same_command_ends_with_the_same_bits(
    undisturbed: Small, checkout: Path, tmp_path: Path
) -> None:
    """Each kill hits a run that begins where the one before was killed; a run that ends begins anew from nothing."""
    rng, expected = random.Random(2020), undisturbed.digests()
    small, attempt, interrupted = Small(tmp_path / "0", checkout), 0, 0
    small.folder.mkdir()
    for _ in range(KILLS):
        running = small.start()
        time.sleep(rng.uniform(0.5, 12))
        interrupted += running.poll() is None
        killed(running)
        if running.returncode == 0:
            assert small.digests() == expected
            attempt += 1
            small = replace(small, folder=tmp_path / str(attempt))
            small.folder.mkdir()
        elif small.results.is_dir():  # whatever is there with a digest is whole
            found = small.digests()
            whole = {name for name in found if f"{name}.sha256" in found and f"{name}" in expected}
            assert {name: found[name] for name in whole} == {name: expected[name] for name in whole}
    assert interrupted > 0
    told = small.run()
    assert told.returncode == 0, told.stderr
    assert small.digests() == expected
    assert verify(small.results) == []


def flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def truncate(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size))


@pytest.mark.parametrize("damage", [flip, truncate])
def test_damage_to_any_product_is_found_set_aside_and_made_again(
    copy: Small, undisturbed: Small, damage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NN_INTERPRETABILITY_RUN", raising=False)
    expected = undisturbed.digests()
    products = sorted(name for name in expected if f"{name}.sha256" in expected)
    assert {*PRODUCTS, "models/cnn/weights.safetensors", "data/digits.h5"} <= {*products}
    for number, name in enumerate(products):
        path = copy.results / name
        whole, clock = path.read_bytes(), path.stat()
        damage(path, random.Random(number))
        os.utime(path, ns=(clock.st_atime_ns, clock.st_mtime_ns))
        (problem,) = verify(copy.results)
        assert problem.path == path
        assert digest_of(path) in problem.what
        path.write_bytes(whole)
        os.utime(path, ns=(clock.st_atime_ns, clock.st_mtime_ns))
    for name in ("data/digits.h5", PRODUCTS[0]):
        damage(copy.results / name, random.Random(1))
    assert main(["verify", "--set-aside", str(copy.results)]) == 1
    assert (copy.results / f"{PRODUCTS[0]}.broken").exists()
    told = copy.run(*TARGETS, f"{RESULTS}/data/digits.h5")  # what lies between is made again only if it is asked for
    assert told.returncode == 0, told.stderr
    found = copy.digests()
    assert {name: found.get(name) for name in expected} == expected


def test_a_missing_chunk_of_a_data_set_is_found(copy: Small) -> None:
    """The place of one chunk is overwritten with zeros, and the digest made to fit: HDF5's own check sum finds it."""
    path = copy.results / PRODUCTS[0]
    with h5py.File(path) as file:
        chunk = file["values"].id.get_chunk_info(0)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(bytes(chunk.size))
    sidecar_of(path).write_text(f"{digest_of(path)}  {path.name}\n")
    (problem,) = verify(copy.results)
    assert problem.path == path
    assert "cannot be read" in problem.what


def test_ctrl_c_leaves_no_process_and_the_same_command_goes_on(undisturbed: Small, tmp_path: Path) -> None:
    small = replace(undisturbed, folder=tmp_path)
    running = small.start()
    end = time.monotonic() + 300
    while not (small.results / "logs" / "train_model").is_dir():
        assert running.poll() is None, running.stderr.read() if running.stderr else ""
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)  # a terminal sends it to all processes in front
    running.communicate(timeout=120)
    assert running.returncode != 0
    assert members(running.pid) == []
    told = small.run()
    assert told.returncode == 0, told.stderr
    assert small.digests() == undisturbed.digests()


def test_a_second_run_in_the_same_folder_says_so_and_leaves(copy: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NN_INTERPRETABILITY_RUN", raising=False)
    (copy.results / PRODUCTS[0]).unlink()
    with RunLock().acquire(copy.results):
        before = copy.digests()
        os.environ.pop("NN_INTERPRETABILITY_RUN")
        told = copy.run()
        assert copy.digests() == before
    assert told.returncode == 1
    assert f"{RESULTS} is in use by another run (process {os.getpid()}" in told.stderr
    assert "Traceback" not in told.stderr


# Disks -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def little_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "little"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"this machine cannot mount a small disk: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def in_results_at(copy: Small, place: Path) -> None:
    """Move the results to another file system, and leave a link."""
    shutil.copytree(copy.results, place, dirs_exist_ok=True)
    shutil.rmtree(copy.results)
    copy.results.symlink_to(place)


def test_a_full_disk_is_said_and_earlier_results_stay(copy: Small, undisturbed: Small, little_disk: Path) -> None:
    in_results_at(copy, little_disk / "results")
    (copy.results / PRODUCTS[0]).unlink()
    before = copy.digests()
    filler = little_disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    told = copy.run()
    assert told.returncode != 0
    assert "No space left on device" in told.stderr or "the disk is full" in told.stderr, told.stderr
    assert {name: copy.digests().get(name) for name in before} == before
    filler.unlink()
    told = copy.run()
    assert told.returncode == 0, told.stderr
    assert copy.digests() == undisturbed.digests()


def test_read_only_results_are_said_and_stay(copy: Small, undisturbed: Small, little_disk: Path) -> None:
    in_results_at(copy, little_disk / "results")
    (copy.results / PRODUCTS[0]).unlink()
    before = copy.digests()
    subprocess.run(["mount", "-o", "remount,ro", str(little_disk)], check=True)
    told = copy.run()
    assert told.returncode != 0
    assert any(words in told.stderr.lower() for words in ("read-only", "write-protected")), told.stderr
    assert "Traceback" not in told.stderr
    assert copy.digests() == before
    subprocess.run(["mount", "-o", "remount,rw", str(little_disk)], check=True)
    told = copy.run()
    assert told.returncode == 0, told.stderr
    assert copy.digests() == undisturbed.digests()


def test_a_new_configuration_trains_again(copy: Small) -> None:
    """Weights of an older configuration are not used for a new one."""
    assert "train_model" not in planned(copy, CONFIG)
    changed = copy.folder / "changed.yaml"
    changed.write_text(CONFIG.read_text(encoding="utf-8").replace("epochs: 1", "epochs: 2"), encoding="utf-8")
    assert "train_model" in planned(copy, changed)


def planned(small: Small, config: Path) -> str:
    """What a dry run would run."""
    settings = ("--config", f"results={RESULTS}", "--dry-run", "--", *TARGETS)
    told = run(small.folder, *settings, checkout=small.checkout, configs=(STUDY, config))
    assert told.returncode == 0, told.stderr
    return told.stdout
