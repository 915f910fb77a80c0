"""The schema is sound, its export in step, and it has the names that the code has."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from nn_interpretability.config.schema import config_schema, schema_text
from nn_interpretability.config.validate import with_defaults
from nn_interpretability.models import architectures
from nn_interpretability.registry import configurable

EXPORT = Path(__file__).resolve().parents[2] / "workflow" / "schemas" / "config.schema.json"


def test_the_export_is_in_step() -> None:
    assert EXPORT.read_text(encoding="utf-8") == schema_text(), (
        "write it anew: nn-interpretability config schema > workflow/schemas/config.schema.json"
    )


def test_the_schema_is_valid_draft_2020_12() -> None:
    schema = json.loads(schema_text())
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema of a mapping with named keys, at any depth."""
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("type") == "object":
            yield schema
        for child in schema.values():
            yield from objects(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from objects(child)


def test_no_mapping_takes_unknown_keys() -> None:
    found = list(objects(config_schema()))
    assert len(found) > 8
    assert all(schema["additionalProperties"] is False for schema in found)


def test_the_defaults_are_allowed() -> None:
    schema = config_schema()
    Draft202012Validator(schema).validate(with_defaults({}, schema))


def test_it_has_the_networks_and_methods_that_there_are() -> None:
    properties = config_schema()["properties"]
    model = properties["models"]["additionalProperties"]["else"]["properties"]
    attribution = properties["attributions"]["additionalProperties"]
    assert model["architecture"]["enum"] == list(architectures())
    assert attribution["properties"]["method"]["enum"] == sorted(configurable())
    assert len(attribution["allOf"]) == len(configurable())


def test_checking_imports_no_torch() -> None:
    code = (
        "import sys; from nn_interpretability.config.validate import checked; checked({}); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
