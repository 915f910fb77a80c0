from __future__ import annotations

from nn_interpretability.config.groups import grouped

ENTRIES = {
    "a": {"model": "cnn", "method": "lrp"},
    "b": {"model": "cnn", "method": "gradient"},
    "c": {"model": "cam", "method": "lrp"},
    "d": {"model": "cnn", "method": "lrp"},
}


def test_entries_are_grouped_in_the_order_in_which_they_stand() -> None:
    assert grouped(ENTRIES, "method") == {"lrp": ["a", "c", "d"], "gradient": ["b"]}
    by_both = grouped(ENTRIES, "model", "method")
    assert by_both == {("cnn", "lrp"): ["a", "d"], ("cnn", "gradient"): ["b"], ("cam", "lrp"): ["c"]}
    assert list(by_both) == [("cnn", "lrp"), ("cnn", "gradient"), ("cam", "lrp")]


def test_no_entries_are_no_groups() -> None:
    assert grouped({}, "method") == {}
