"""The JSON schema (draft 2020-12) of the configuration: the single source of what ``config.yaml`` may say.

``workflow/schemas/config.schema.json`` is this schema, exported for editors by
``nn-interpretability config schema``. The defaults in it are filled in by
:func:`nn_interpretability.config.validate.checked`, so a configuration may be short. The hyper-parameters of
each method come from :mod:`nn_interpretability.registry`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nn_interpretability.models.build import architectures
from nn_interpretability.registry import METHODS

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAME = "^[a-z][a-z0-9_]*$"
FIGURES = (
    "fig06",
    "fig07",
    "fig08",
    "fig08_conv1",
    "fig08_conv2",
    "fig09",
    "fig10",
    "fig11",
    "fig12",
    "fig13",
    "fig15",
    "fig16",
    "fig17",
)


def config_schema() -> Schema:
    """Return the schema of the whole configuration.

    Returns
    -------
    dict
        JSON schema, draft 2020-12; every object in it refuses unknown keys.
    """
    return {
        "$schema": DIALECT,
        "title": "Configuration of the study",
        **_object(
            {
                "seed": {
                    "type": "integer",
                    "minimum": 0,
                    "default": 2020,
                    "description": "every other seed of a run is derived from this one",
                },
                "device": {
                    "enum": ["auto", "cpu", "cuda"],
                    "default": "auto",
                    "description": "auto takes a GPU where there is one; cuda makes a missing GPU an error",
                },
                "results": {
                    "type": "string",
                    "minLength": 1,
                    "default": "results",
                    "description": "folder for everything that a run makes",
                },
                "data": _data(),
                "models": _named(_model(), default={"cnn": {}}, description="networks to train"),
                "probes": _named(_probe(), default={"digits": {}}, description="sets of pictures to explain"),
                "attributions": _named(_attribution(), default={}, description="one job per model and method"),
                "figures": _figures(),
            }
        ),
    }


def schema_text() -> str:
    """Return the schema as the text of ``workflow/schemas/config.schema.json``."""
    return json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"


def _object(properties: Mapping[str, Any], required: tuple[str, ...] = ()) -> Schema:
    schema: Schema = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    if required:
        schema["required"] = list(required)
    return schema


def _named(entry: Schema, *, default: Mapping[str, Any], description: str) -> Schema:
    """Entries under names that the user chooses; the names become file names."""
    return {
        "type": "object",
        "propertyNames": {"pattern": NAME, "description": "small letters, digits and _, a letter first"},
        "additionalProperties": entry,
        "default": dict(default),
        "description": description,
    }


def _data() -> Schema:
    limit = {"type": ["integer", "null"], "minimum": 100, "default": None}
    return _object(
        {
            "local": {
                "type": ["string", "null"],
                "minLength": 1,
                "default": None,
                "description": "folder that holds MNIST/raw/; null: see NN_INTERPRETABILITY_DATA",
            },
            "download": {
                "type": "boolean",
                "default": True,
                "description": "try a download before the embedded stand-in is used",
            },
            "validation_share": {
                "type": "number",
                "exclusiveMinimum": 0,
                "exclusiveMaximum": 1,
                "default": 0.1,
                "description": "part of the training pictures that is kept for validation",
            },
            "train_limit": {**limit, "description": "use only so many training pictures; null: all"},
            "test_limit": {**limit, "description": "use only so many test pictures; null: all"},
        }
    ) | {"default": {}}


def _model() -> Schema:
    return _object(
        {
            "architecture": {"enum": list(architectures()), "default": "small_cnn"},
            "epochs": {"type": "integer", "minimum": 1, "default": 6},
            "batch_size": {"type": "integer", "minimum": 1, "default": 128},
            "max_learning_rate": {
                "type": "number",
                "exclusiveMinimum": 0,
                "default": 0.01,
                "description": "peak of the one-cycle schedule",
            },
            "weight_decay": {"type": "number", "minimum": 0, "default": 0.0},
        }
    )


def _probe() -> Schema:
    kinds = {"enum": ["first_of_class", "class_means", "occlusions"], "default": "first_of_class"}
    return _object(
        {
            "kind": {
                **kinds,
                "description": "of each class the first training picture, or the mean; or a 1 under a white window",
            }
        }
    )


def _attribution() -> Schema:
    schema = _object(
        {
            "method": {"enum": sorted(METHODS), "description": "see nn-interpretability methods"},
            "model": {"type": "string", "default": "cnn", "description": "a name under models"},
            "probe": {"type": "string", "default": "digits", "description": "a name under probes"},
            "target": {
                "enum": ["predicted", "label"],
                "default": "predicted",
                "description": "the class whose score is explained",
            },
            "title": {"type": "string", "minLength": 1, "description": "how figures call it"},
            "parameters": {"type": "object", "default": {}, "description": "hyper-parameters of the method"},
        },
        required=("method",),
    )
    schema["allOf"] = [
        {
            "if": {"properties": {"method": {"const": name}}, "required": ["method"]},
            "then": {"properties": {"parameters": dict(method.parameters)}},
        }
        for name, method in sorted(METHODS.items())
    ]
    return schema


def _figures() -> Schema:
    names = {"type": "array", "items": {"type": "string"}}
    figure = _object(
        {
            "kind": {
                "enum": [
                    "maps",
                    "overlay",
                    "overlay_by_row",
                    "reconstructions",
                    "filters",
                    "occlusion",
                    "worst_occlusions",
                ],
                "default": "maps",
                "description": "what is made of the panels: signed maps on one scale, positive maps over the pictures, "
                "reconstructions on a scale each, one map per filter of a layer",
            },
            "section": {
                "type": "string",
                "pattern": NAME,
                "default": "figures",
                "description": "part of the report; the figures of one section are one job",
            },
            "panels": {**names, "minItems": 1, "description": "names under attributions, left to right"},
            "published": {
                **names,
                "default": [],
                "description": "the same panels with the settings that the study published",
            },
        },
        required=("panels",),
    )
    return _object(dict.fromkeys(FIGURES, figure)) | {"default": {}, "description": "figures of the report"}
