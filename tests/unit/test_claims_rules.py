"""The file of rules: complete, each with the digest that belongs to it, and refused in one message where it is not."""

from pathlib import Path

import pytest
import yaml

from nn_interpretability.claims import assertions
from nn_interpretability.claims.rules import digest_of, groups, load_rules
from nn_interpretability.errors import ConfigError


def entry(**changes: object) -> dict[str, object]:
    words = dict.fromkeys(("module", "group", "place", "assertion", "statistic", "rule"), "x")
    made = {"id": "c01", "kind": "sampled", **words, "version": 1, **changes}
    return {**made, "digest": changes.get("digest", digest_of(made))}


def written(tmp_path: Path, *entries: dict[str, object]) -> Path:
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(list(entries)))
    return path


def test_the_study_makes_thirty_four_claims() -> None:
    rules = load_rules()
    assert [rule.id for rule in rules] == [f"c{n:02d}" for n in range(1, 35)]
    assert sum(len(each) for each in groups(rules).values()) == 34


def test_every_claim_has_code() -> None:
    folder = Path(assertions.__file__).parent
    assert {rule.module for rule in load_rules()} == {path.stem for path in folder.glob("*.py")} - {"__init__"}


def test_a_changed_rule_is_noticed(tmp_path: Path) -> None:
    old = entry()
    with pytest.raises(ConfigError, match=r"c01: the rule is not the one .* raise the version"):
        load_rules(written(tmp_path, {**old, "rule": "another"}))


def test_words_around_a_rule_may_change(tmp_path: Path) -> None:
    assert load_rules(written(tmp_path, {**entry(), "assertion": "said better", "place": "2.2"}))[0].place == "2.2"


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    bad = entry()
    del bad["rule"]
    with pytest.raises(ConfigError) as error:
        load_rules(written(tmp_path, bad, entry(kind="guessed"), {**entry(), "colour": "blue"}))
    said = str(error.value)
    assert "c01: rule is missing" in said
    assert "kind is 'guessed'; sampled and identity are allowed" in said
    assert "'colour' is no key" in said
    assert "id 'c01' stands twice" in said
