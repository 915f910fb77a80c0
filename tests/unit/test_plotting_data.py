"""A figure data file gives back exactly what is drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from figures.groups import two_blocks

from nn_interpretability.errors import BrokenProductError, DataError
from nn_interpretability.plotting.data import read_figure_data, write_panel_group
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    group = two_blocks()
    write_panel_group(tmp_path / "f.h5", group, provenance={"rule": "figure_data"})
    back = read_figure_data(tmp_path / "f.h5")

    assert (back.figure, back.quantity, back.quantile, back.scale_rule) == (
        group.figure,
        group.quantity,
        group.quantile,
        group.scale_rule,
    )
    assert back.provenance == {"rule": "figure_data"}
    assert [block.heading for block in back.blocks] == [block.heading for block in group.blocks]
    np.testing.assert_array_equal(back.pictures, group.pictures)
    np.testing.assert_array_equal(back.label, group.label)
    for one, other in zip(back.rows, group.rows, strict=True):
        assert (one.name, one.heading, one.detail, one.limit, one.beyond) == (
            other.name,
            other.heading,
            other.detail,
            other.limit,
            other.beyond,
        )
        for array in ("values", "score", "target", "probability"):
            np.testing.assert_array_equal(getattr(one, array), getattr(other, array))


def test_the_arrays_are_named_for_other_readers(tmp_path: Path) -> None:
    write_panel_group(tmp_path / "f.h5", two_blocks(), provenance={})
    product = read_hdf5(tmp_path / "f.h5", schema="figure/1")

    assert product.arrays["maps"].dims == ("map", "sample", "y", "x")
    assert list(product.scales["map"]) == ["lrp_0", "lrp_gamma", "lrp_0_published", "lrp_gamma_published"]


def test_rows_are_found_by_name_not_by_place(tmp_path: Path) -> None:
    group = two_blocks()
    turned = replace(group, blocks=group.blocks[::-1])
    write_panel_group(tmp_path / "f.h5", turned, provenance={})

    assert [row.name for row in read_figure_data(tmp_path / "f.h5").rows] == [row.name for row in turned.rows]


def test_another_kind_of_figure_is_refused(tmp_path: Path) -> None:
    array = Array(np.zeros(3), ("sample",))
    write_hdf5(tmp_path / "f.h5", {"x": array}, schema="figure/1", params={"kind": "scatter"}, provenance={})

    with pytest.raises(DataError, match="scatter"):
        read_figure_data(tmp_path / "f.h5")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    write_panel_group(path, two_blocks(), provenance={})
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(BrokenProductError, match="damaged"):
        read_figure_data(path)
