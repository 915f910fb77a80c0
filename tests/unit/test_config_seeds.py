"""Seeds of stages: the same everywhere, different from each other."""

from __future__ import annotations

import hashlib
import itertools

from nn_interpretability.config.seeds import derive_seed, seeded


def test_known_answer() -> None:
    # printf '2020\0train_model\0cnn' | sha256sum
    digest = hashlib.sha256(b"2020\0train_model\0cnn").hexdigest()
    assert derive_seed(2020, "train_model", "cnn") == int(digest[:8], 16) // 2
    assert derive_seed(2020, "train_model", "cnn") == 1519062249


def test_seeds_differ_by_each_part_and_fit_into_31_bits() -> None:
    parts = itertools.product(range(20), ("prepare_digits", "train_model"), ("", "cnn", "mlp"))
    seeds = [derive_seed(*part) for part in parts]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_stage_and_name_do_not_run_together() -> None:
    assert derive_seed(1, "ab", "c") != derive_seed(1, "a", "bc")
    assert derive_seed(1, "1a") != derive_seed(11, "a")


def test_methods_that_draw_noise_share_one_seed_unless_they_are_given_one() -> None:
    assert seeded("smoothgrad", {"sigma": 0.2}, 2020) == {"sigma": 0.2, "seed": derive_seed(2020, "attribute")}
    assert seeded("smoothgrad", {"seed": 3}, 2020) == {"seed": 3}
    assert seeded("gradient", {}, 2020) == {}
