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

from nn_interpretability.config.models import FOLDER
from nn_interpretability.config.passes import FUNCTIONS
from nn_interpretability.models.build import architectures
from nn_interpretability.registry import configurable
from nn_interpretability.training.losses import losses

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAME = "^[a-z][a-z0-9_]*$"


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
                "models": _named(_model(), default={"cnn": {}}, description="networks to train, and your own"),
                "probes": _named(_probe(), default={"digits": {}}, description="sets of pictures to explain"),
                "attributions": _named(_attribution(), default={}, description="one job per model and method"),
                "generators": _generators(),
                "samples": _samples(),
                "syntheses": _named(
                    _synthesis(), default={}, description="images that maximise a class; few jobs for all of them"
                ),
                "deepdream": _deepdream(),
                "dreams": _named(_dream(), default={}, description="dreams over the photograph, one job each"),
                "activation_views": _named(
                    _activation_view(), default={}, description="activation maps and filters of a network, one job each"
                ),
                "passes": _named(
                    _passes(), default={}, description="passes with dropout on, with noise on the pictures, or both"
                ),
                "pass_attributions": _named(
                    _pass_attribution(), default={}, description="explanations of many passes; jobs by method and chunk"
                ),
                "evidence": _named(
                    _evidence(), default={}, description="what networks know of their errors; one job each"
                ),
                "calibrations": _named(
                    _calibration(), default={}, description="calibrations of networks; one job each"
                ),
                "claims": _claims(),
                "toys": _named(
                    _toys(), default={}, description="networks whose right explanation is known; one job each"
                ),
                "replication": _replication(),
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
    """A network from outside, or one that is trained; which keys there are tells them apart."""
    from_outside = {"anyOf": [{"required": ["python"]}, {"required": ["torchvision"]}]}
    return {"type": "object", "if": from_outside, "then": _imported_model(), "else": _trained_model()}


def _imported_model() -> Schema:
    text = {"type": "string", "minLength": 1}
    return _object(
        {
            "python": {**text, "description": "a Python file, which is run to build the network"},
            "factory": {
                **text,
                "default": "build",
                "description": "python: name of a function without arguments that returns the network, or of its class",
            },
            "torchvision": {**text, "description": "name of a classifier of torchvision"},
            "weights": {
                **text,
                "description": "its weights, .safetensors or a state dict, by a path or one below the data folder",
            },
            "probe": {**text, "description": "a name under probes: pictures that the network is tried on"},
        },
        required=("weights", "probe"),
    )


def _trained_model() -> Schema:
    schema = _object(
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
            "loss": {
                "enum": list(losses()),
                "default": "cross_entropy",
                "description": "evidential: the logits are evidence, and a network without any abstains",
            },
            "kl_weight": {
                "type": ["number", "null"],
                "minimum": 0,
                "default": None,
                "description": "of the evidential loss: how much evidence for wrong classes costs; null: 1",
            },
        }
    )
    schema["if"] = {"properties": {"kl_weight": {"type": "number"}}, "required": ["kl_weight"]}
    schema["then"] = {"properties": {"loss": {"enum": ["evidential"]}}, "required": ["loss"]}
    return schema


def _probe() -> Schema:
    """Pictures of a folder, or digits."""
    of_folder = {"properties": {"kind": {"const": FOLDER}}, "required": ["kind"]}
    return {"type": "object", "if": of_folder, "then": _folder_probe(), "else": _digit_probe()}


def _folder_probe() -> Schema:
    side = {"type": "integer", "minimum": 1}
    channels = {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 3}
    positive = {**channels, "items": {"type": "number", "exclusiveMinimum": 0}}
    by_channel = _object({"mean": channels, "std": positive}, required=("mean", "std"))
    names = {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}
    return _object(
        {
            "kind": {"const": FOLDER, "description": "pictures of a folder"},
            "pictures": {
                "type": "string",
                "minLength": 1,
                "description": "folder of pictures, or of one subfolder per class, by a path or below the data folder",
            },
            "classes": {
                "oneOf": [{"type": "string", "minLength": 1}, names, {"type": "null"}],
                "default": None,
                "description": "names of the classes in the model's order, a file with one a line or a YAML list, or "
                "imagenet; null: the names of the subfolders",
            },
            "size": {**side, "default": 224, "description": "height and width that the model sees"},
            "resize": {
                "type": ["integer", "null"],
                "minimum": 1,
                "default": None,
                "description": "the shorter side is made so long, and the middle cut out; null: as long as size",
            },
            "channels": {"enum": [1, 3], "default": 3, "description": "1: grey"},
            "normalisation": {
                "oneOf": [{"const": "imagenet"}, by_channel, {"type": "null"}],
                "default": None,
                "description": "mean and std of each channel, of values in [0, 1]",
            },
            "count": {**side, "default": 8, "description": "so many pictures, of all classes in turn"},
        },
        required=("pictures",),
    )


def _digit_probe() -> Schema:
    kinds = {
        "enum": ["first_of_class", "class_means", "occlusions", "rotations", "noise_path", "noise_path_published"],
        "default": "first_of_class",
    }
    rotations = {
        "class": {
            "type": "integer",
            "minimum": 0,
            "maximum": 9,
            "description": "rotations: of a picture of this class",
        },
        "index": {"type": "integer", "minimum": 0, "description": "rotations: which of the class's training pictures"},
        "angles": {
            "type": "array",
            "items": {"type": "number"},
            "minItems": 1,
            "description": "rotations: in degrees, negative ones clockwise",
        },
        "clip": {"type": "boolean", "description": "rotations: keep brightness in [0, 1]; true if left out"},
    }
    schema = _object(
        {
            "kind": {
                **kinds,
                "description": "of each class the first training picture, or the mean; a 1 under a white window; one "
                "picture at several angles; or a 1 with a growing share of noise",
            },
            **rotations,
        }
    )
    schema["if"] = {"properties": {"kind": {"const": "rotations"}}, "required": ["kind"]}
    schema["then"] = {"properties": {"angles": rotations["angles"]}, "required": ["angles"]}
    schema["else"] = _object({"kind": kinds})
    return schema


def _attribution() -> Schema:
    schema = _object(
        {
            "method": {"enum": sorted(configurable()), "description": "see nn-interpretability methods --study"},
            "model": {"type": "string", "default": "cnn", "description": "a name under models"},
            "probe": {"type": "string", "default": "digits", "description": "a name under probes"},
            "target": {
                "enum": ["predicted", "label", "evidence"],
                "default": "predicted",
                "description": "the class whose score is explained; evidence: the positive part of the largest logit",
            },
            "title": {"type": "string", "minLength": 1, "description": "how figures call it"},
            "parameters": {"type": "object", "default": {}, "description": "hyper-parameters of the method"},
        },
        required=("method",),
    )
    schema["allOf"] = _parameters_by_method()
    return schema


def _parameters_by_method() -> list[Schema]:
    return [
        {
            "if": {"properties": {"method": {"const": name}}, "required": ["method"]},
            "then": {"properties": {"parameters": dict(method.parameters)}},
        }
        for name, method in sorted(configurable().items())
    ]


def _passes() -> Schema:
    return _object(
        {
            "model": {"type": "string", "default": "dropout_cnn", "description": "a name under models"},
            "probe": {"type": "string", "default": "digits", "description": "a name under probes"},
            "pictures": {
                "type": ["array", "null"],
                "items": {"type": "integer", "minimum": 0},
                "minItems": 1,
                "uniqueItems": True,
                "default": None,
                "description": "places of pictures in the probe, from 0; null: all",
            },
            "dropout": {"type": "boolean", "default": True, "description": "dropout is on, with other masks each time"},
            "noise": {
                "type": "number",
                "minimum": 0,
                "default": 0.0,
                "description": "standard deviation of Gaussian noise on the pictures, in units of brightness",
            },
            "passes": {"type": "integer", "minimum": 1, "default": 1000},
            "block": {
                "type": "integer",
                "minimum": 1,
                "default": 50,
                "description": "passes that are computed together; part of the result's bits",
            },
            "chunk": {
                "type": "integer",
                "minimum": 1,
                "default": 500,
                "description": "passes that one job works on, a multiple of the block; changes nothing in the result",
            },
        }
    )


def _pass_attribution() -> Schema:
    schema = _object(
        {
            "passes": {"type": "string", "description": "a name under passes"},
            "method": {"enum": sorted(configurable()), "description": "see nn-interpretability methods --study"},
            "target": {
                "enum": ["all", "predicted", "label", *FUNCTIONS],
                "default": "all",
                "description": "all: every class; predicted: without dropout and noise; or a function of all passes",
            },
            "title": {"type": "string", "minLength": 1, "description": "how figures call it"},
            "parameters": {"type": "object", "default": {}, "description": "hyper-parameters of the method"},
            "products": {
                "type": "array",
                "items": {
                    "enum": ["mean", "covariance", "by_predicted_class", "target_by_predicted_class", "variance"]
                },
                "minItems": 1,
                "uniqueItems": True,
                "default": ["mean"],
                "description": "variance needs the map of each pass, the others sums",
            },
            "keep_raw": {
                "type": "integer",
                "minimum": 0,
                "default": 0,
                "description": "of how many passes, from the first on, to keep the maps, for quantiles",
            },
            "independent_masks": {
                "type": "boolean",
                "default": False,
                "description": "other masks for each class, as published: counts need not sum to the passes",
            },
        },
        required=("passes", "method"),
    )
    schema["allOf"] = _parameters_by_method()
    return schema


def _generators() -> Schema:
    whole = {"type": "integer", "minimum": 1}
    above_zero = {"type": "number", "exclusiveMinimum": 0}
    not_negative = {"type": "number", "minimum": 0}

    def adversarial(epochs: int, penalty: float) -> Schema:
        return _object(
            {
                "epochs": {**whole, "default": epochs},
                "batch_size": {**whole, "minimum": 2, "default": 64},
                "generator_learning_rate": {**above_zero, "default": 0.002},
                "discriminator_learning_rate": {**above_zero, "default": 0.001},
                "gradient_penalty": {
                    **not_negative,
                    "default": penalty,
                    "description": "on the discriminator's gradient at real pictures",
                },
                "class_information": {
                    **not_negative,
                    "default": 0.5,
                    "description": "reward per nat of mutual information between code and class",
                },
            }
        )

    rbm = _object(
        {
            "epochs": {**whole, "default": 12},
            "batch_size": {**whole, "default": 100, "description": "pictures per step, and Markov chains"},
            "learning_rate": {**above_zero, "default": 0.003},
            "weight_decay": {**not_negative, "default": 0.0001},
            "gibbs_steps": {**whole, "default": 3, "description": "of each chain between two steps of training"},
            "sigma": {**above_zero, "default": 0.3, "description": "standard deviation of a pixel, given the rest"},
        }
    )
    return _object({"gan": adversarial(12, 10), "dcgan": adversarial(2, 3), "rbm": rbm}) | {
        "default": {},
        "description": "generative models of the digits to train; what is not listed is not trained",
    }


def _replication() -> Schema:
    return _object(
        {
            "passes": {
                "type": "integer",
                "minimum": 1,
                "default": 10000,
                "description": "stochastic passes from which the rate of each class is estimated",
            },
            "seeds": {
                "type": "integer",
                "minimum": 0,
                "default": 0,
                "description": "searches from random starts, 10000 steps each, of each class; 0 leaves them out",
            },
            "pictures": {
                "type": "integer",
                "minimum": 2,
                "default": 2000,
                "description": "training pictures over which 100 passes with dropout are averaged",
            },
        }
    ) | {
        "type": ["object", "null"],
        "default": None,
        "description": "numbers that the study printed, with its own networks if they are there; null: not at all",
    }


def _samples() -> Schema:
    return _object(
        {
            "judge": {
                "type": "string",
                "default": "all_conv_cnn",
                "description": "a name under models: the classifier that judges samples of the generators",
            },
            "confidence": {
                "type": "number",
                "exclusiveMinimum": 0,
                "exclusiveMaximum": 1,
                "default": 0.9,
                "description": "probability above which the judge accepts a sample",
            },
            "count": {"type": "integer", "minimum": 2, "default": 1000, "description": "images of each generator"},
            "chains": {"type": "integer", "minimum": 2, "default": 400, "description": "Markov chains of the RBM"},
        }
    ) | {"default": {}}


def _synthesis() -> Schema:
    weight = {"type": "number", "minimum": 0, "default": 0.0}
    return _object(
        {
            "model": {"type": "string", "default": "cnn", "description": "a name under models"},
            "start": {
                "enum": ["first", "mean", "grand_mean", "noise", "zeros"],
                "default": "noise",
                "description": "first picture or mean of each class, mean of the class means, noise, black",
            },
            "starts": {"type": "integer", "minimum": 1, "default": 1, "description": "of each class; above 1: noise"},
            "centre": {
                "enum": ["zero", "mean", "grand_mean"],
                "default": "zero",
                "description": "where the distance is measured from: black, class mean, mean of the class means",
            },
            "squared_distance": {**weight, "description": "weight of the squared distance from the centre"},
            "distance": {**weight, "description": "weight of the distance itself; for published: true"},
            "total_variation": weight,
            "generator": {"enum": [None, "gan", "dcgan"], "default": None, "description": "search among its codes"},
            "code_weight": {**weight, "description": "weight of the squared length of the code"},
            "expert": {"enum": [None, "rbm"], "default": None, "description": "a density of digits"},
            "expert_weight": {**weight, "default": 1.0},
            "objective": {"enum": ["log_probability", "score"], "default": "log_probability"},
            "parametrisation": {"enum": ["pixels", "sigmoid", "fourier"], "default": "pixels"},
            "steps": {"type": "integer", "minimum": 1, "default": 1000, "description": "at most so many"},
            "learning_rate": {"type": "number", "exclusiveMinimum": 0, "default": 0.02},
            "threshold": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "exclusiveMaximum": 1,
                "default": 0.999,
                "description": "probability at which a search stops; null: never",
            },
            "published": {
                "type": "boolean",
                "default": False,
                "description": "search as the study did, defects included",
            },
            "rescale": {
                "type": "boolean",
                "default": False,
                "description": "for published: true: shift and scale what is shown",
            },
            "batch_of_one": {
                "type": "boolean",
                "default": False,
                "description": "for published: true: the generator in training mode, pixels from -1 to 1",
            },
        }
    )


def _deepdream() -> Schema:
    layer = {"type": "string", "minLength": 1}
    channels = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2}
    network = _object(
        {
            "name": {**layer, "description": "a network that the workflow trains, or one of torchvision"},
            "weights": {
                "type": ["string", "null"],
                "minLength": 1,
                "default": None,
                "description": "file with its weights; null: see reference/sources.yaml",
            },
            "layers": {"type": "array", "items": layer, "minItems": 2, "maxItems": 2},
            "channel_layer": layer,
            "channels": {"oneOf": [channels, {"const": "strongest"}], "description": "two, or strongest"},
            "size": {"type": ["integer", "null"], "minimum": 32, "default": None},
            "crops": {"type": ["integer", "null"], "minimum": 1, "default": None},
            "learning_rate": {"type": ["number", "null"], "exclusiveMinimum": 0, "default": None},
            "noise": {"type": ["number", "null"], "minimum": 0, "default": None, "description": "for leave_one_out"},
            "penalty": {"type": ["number", "null"], "default": None, "description": "for leave_one_out"},
        },
        required=("name", "layers", "channel_layer", "channels"),
    )
    return _object({"models": {"type": "array", "items": network, "default": []}}) | {
        "default": {},
        "description": "networks to dream with, in order of preference: the first whose weights can be had",
    }


def _dream() -> Schema:
    octaves = {"type": "array", "items": {"type": "integer"}, "minItems": 1}
    return _object(
        {
            "kind": {
                "enum": ["views", "leave_one_out"],
                "default": "views",
                "description": "two layers and two channels, or crops with each of the five techniques left out",
            },
            "size": {
                "type": "integer",
                "minimum": 32,
                "default": 480,
                "description": "longest side, in pixels, that the photograph is shrunk to",
            },
            "octaves": {
                "oneOf": [{"type": "integer", "minimum": 1}, octaves],
                "default": 5,
                "description": "how many, or the exponents of the scale",
            },
            "octave_scale": {"type": "number", "exclusiveMinimum": 1, "default": 1.5},
            "steps": {"type": "integer", "minimum": 1, "default": 10, "description": "steps in each octave"},
            "learning_rate": {"type": "number", "exclusiveMinimum": 0, "default": 0.05},
            "roll": {"type": "boolean", "default": True},
            "tile": {"type": ["integer", "null"], "minimum": 64, "default": 512},
            "overlap": {"type": "integer", "minimum": 0, "default": 32},
            "noise": {"type": "number", "minimum": 0, "default": 0.0},
            "penalty": {"type": "number", "default": 0.0},
            "crops": {"type": "integer", "minimum": 1, "default": 6, "description": "for leave_one_out"},
            "crop": {"type": "integer", "minimum": 65, "default": 128, "description": "for leave_one_out: their side"},
        }
    )


def _activation_view() -> Schema:
    return _object(
        {
            "model": {"type": "string", "default": "cnn", "description": "a name under models"},
            "probe": {"type": "string", "default": "digits", "description": "a name under probes"},
            "layers": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "description": "layers of the network, the first a convolution",
            },
            "picture": {"type": "integer", "minimum": 0, "default": 0, "description": "which picture of the probe"},
            "count": {"type": "integer", "minimum": 1, "default": 10, "description": "units shown of each layer"},
        },
        required=("layers",),
    )


def _evidence() -> Schema:
    return _object(
        {
            "models": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "default": ["cnn"],
                "description": "names under models; figures show the first evidential one and the first other one",
            },
            "probe": {"type": "string", "default": "rotated", "description": "a name under probes, of kind rotations"},
            "pictures": {
                "type": "integer",
                "minimum": 10,
                "default": 2000,
                "description": "test pictures, and at most so many foreign ones of each kind",
            },
            "passes": {
                "type": "integer",
                "minimum": 0,
                "default": 50,
                "description": "passes with dropout on for each picture, of networks that have dropout; 0: none",
            },
            "pass_pictures": {
                "type": "integer",
                "minimum": 10,
                "default": 1000,
                "description": "how many of the pictures of each kind are asked in passes",
            },
        }
    )


def _calibration() -> Schema:
    photographs = _object(
        {
            "network": {"type": "string", "default": "squeezenet1_0", "description": "a classifier of torchvision"},
            "weights": {
                "type": "string",
                "default": "weights/squeezenet1_0.pth",
                "description": "below the data folder",
            },
            "pictures": {
                "type": "string",
                "default": "imagenet_sample",
                "description": "folder with one folder per class",
            },
            "limit": {
                "type": "integer",
                "minimum": 20,
                "default": 400,
                "description": "photographs; half of them to fit",
            },
            "shown": {"type": "integer", "minimum": 1, "maximum": 10, "default": 10, "description": "explained ones"},
        }
    )
    return _object(
        {
            "models": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "default": ["cnn"],
                "description": "names under models; the first is explained before and after",
            },
            "probe": {"type": "string", "default": "digits", "description": "a name under probes"},
            "bins": {"type": "integer", "minimum": 1, "default": 15, "description": "of reliability diagrams"},
            "photographs": {
                **photographs,
                "default": {},
                "description": "a network for photographs, if its weights and some photographs are in the data folder",
            },
        }
    )


def _claims() -> Schema:
    counts = {
        "seeds": (2, 1, "training seeds of each network that a claim is about; each is a training more"),
        "images": (150, 20, "test pictures, as many of each class"),
        "passes": (200, 50, "stochastic passes for each picture"),
        "steps": (500, 1, "steps of an optimiser, at most"),
    }
    return _object(
        {
            name: {"type": "integer", "minimum": least, "default": default, "description": description}
            for name, (default, least, description) in counts.items()
        }
    ) | {
        "type": ["object", "null"],
        "default": None,
        "description": "what the study asserts, decided claim by claim (reference/claims.yaml); null: not at all",
    }


def _toys() -> Schema:
    return _object(
        {
            "steps": {"type": "integer", "minimum": 2, "default": 161, "description": "places along each curve"},
            "points": {"type": "integer", "minimum": 1, "default": 600, "description": "of integrated gradients"},
        }
    )


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
                    "difference",
                    "gradient_path",
                    "samples",
                    "syntheses",
                    "dreams_of_layers",
                    "dreams_of_channels",
                    "dreams_without",
                    "activation_views",
                    "turned_maps",
                    "evidence_curve",
                    "reliability",
                    "before_and_after",
                    "pass_scatter",
                    "passes_by_class",
                    "uncertainty_maps",
                    "dropout_maps",
                    "toys",
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
            "panels": {**names, "minItems": 1, "description": "names of what is shown, left to right"},
            "angles": {
                "type": "array",
                "items": {"type": "number"},
                "minItems": 1,
                "description": "passes_by_class: only the pictures at these angles",
            },
            "caption": {
                "type": "string",
                "minLength": 1,
                "description": "shows a figure of your own in an appendix of the PDF, with these words below it",
            },
            "published": {
                **names,
                "default": [],
                "description": "the same panels with the settings that the study published",
            },
        },
        required=("panels",),
    )
    return _named(figure, default={}, description="figures; the PDF needs each of them on a page, or with a caption")
