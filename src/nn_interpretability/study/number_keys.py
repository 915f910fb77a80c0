"""The keys of the numbers that a run writes, known from its configuration alone.

Each rule that writes numbers declares its keys from here (``params: declared=NUMBERS["models"]``), its writer refuses
others, and the text of the report is compared with all of them before anything runs.  A ``*`` stands for what only
the run knows, such as the names of layers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nn_interpretability.claims.rules import VERDICTS, load_rules
from nn_interpretability.config.models import FOLDER, is_imported, needs_digits
from nn_interpretability.plotting.data import DIFFERENCE, PUBLISHED
from nn_interpretability.registry import configurable
from nn_interpretability.study.published import KINDS

Config = Mapping[str, Any]
Keys = list[str]

CLASSES = range(10)
QUALITY = ("accuracy", "error", "nll", "ece", "n")
ABSTAINING = (
    *("abstentions", "answers", "accuracy_of_answers", "accuracy_by_logits"),
    *("mean_evidence", "mean_uncertainty", "mean_uncertainty_right", "mean_uncertainty_wrong"),
)
SCALINGS = ("none", "temperature", "vector", "isotonic")
CALIBRATION = ("accuracy", "nll", "brier", "ece", "mce")
IDENTITY = ("deeplift", "lrp", "folded", "unit_start", "probability")
NOT_DIGITS = ("noise", "shuffled", "turned", "mirrored")
FOREIGN = ("turned", "shuffled", "other_source")
PASS_MEASURES = ("entropy", "mutual_information")
NO_SUM = ("cam",)
"""Methods of which a part sums to the score, but not what is shown."""
TECHNIQUES = ("all", "penalty", "noise", "scales", "tiles", "roll", "first_two")


def declared_numbers(config: Config) -> dict[str, Keys]:
    """Keys by the file that they are written to.

    Parameters
    ----------
    config
        The whole configuration, checked.

    Returns
    -------
    dict
        Keys, sorted, by the place of the file below ``numbers/``, without ``.json``: ``"models"``, ``"figures/fig12"``.
    """
    parts: dict[str, Iterable[str]] = {
        "run": of_run(),
        "data": of_data() if needs_digits(config) else [],
        "models": of_models(config),
        "attributions": of_attributions(config),
        "generators": of_generators(config),
    }
    parts |= {"claims": of_claims(config), "replication": of_replication(config)}
    sections: dict[str, tuple[str, Callable[[Config, str], Keys]]] = {
        "figures": ("figures", of_figure),
        "passes": ("pass_attributions", of_passes),
        "evidence": ("evidence", of_evidence),
        "calibrations": ("calibrations", of_calibration),
        "toys": ("toys", of_toys),
    }
    for folder, (section, declare) in sections.items():
        parts |= {f"{folder}/{name}": declare(config, name) for name in config[section]}
    return {part: sorted(set(keys)) for part, keys in parts.items()}


def of_run() -> Keys:
    """What holds for the whole run."""
    versions = (f"versions.{package}" for package in ("python", "h5py", "numpy", "torch"))
    return behind("run", ["seed", "commit", "instruction_set", *versions])


def of_data() -> Keys:
    """Where the digits come from."""
    counts = (f"count.{part}" for part in ("train", "validation", "test", "augmented"))
    return behind("data", ["source", "name", "title", "reason", "licence", *counts])


def of_models(config: Config) -> Keys:
    """What model cards say."""
    keys = []
    for name, entry in config["models"].items():
        measured = [*QUALITY, *(ABSTAINING if entry.get("loss") == "evidential" else ())]
        parts = [f"{part}.{key}" for part in ("test", "validation") for key in measured]
        keys += behind(f"model.{name}", ["architecture", "parameters", "device", "seed", *parts])
    return keys


def of_attributions(config: Config) -> Keys:
    """Settings; for methods that sum to the score conservation; for rules of relevance what became of it per layer."""
    keys = []
    for name, entry in config["attributions"].items():
        words = ["method", "heading", "settings", "probe", "pictures"]
        if config["probes"][entry["probe"]]["kind"] != FOLDER:
            words.append("background")
        method = configurable()[entry["method"]]
        if entry["method"] not in NO_SUM and method.conserves != "no":
            words += ["conservation.median", "conservation.max"]
        if "trace" in method.parameters["properties"]:
            words += ["layers", "layers.*"]
        keys += behind(f"attribution.{name}", words)
    return keys


def of_generators(config: Config) -> Keys:
    """How good samples of generative models are."""
    if not config["generators"]:
        return []
    keys = ["judge", "confidence", "count", "chains", "steps", "real.accepted"]
    for name in config["generators"]:
        measured = ["accepted", "accepted.worst", "accepted.worst.class", "spread", "share.smallest"]
        measured += ["share.smallest.class", "share.largest", "share.largest.class"]
        if name == "rbm":
            measured += ["reconstruction_error", *(f"auroc.{kind}" for kind in NOT_DIGITS)]
        keys += behind(name, measured)
    return behind("generator", keys)


def of_passes(config: Config, name: str) -> Keys:
    """What an explanation of passes says of each picture."""
    entry = config["pass_attributions"][name]
    quantities = ["score", "sum", *(["variance", "covariance_sum"] if "covariance" in entry["products"] else [])]
    classes = classes_of(config, config["passes"][entry["passes"]]["model"])
    keys = [f"count.{k}" for k in classes] + [
        "counted",
        "entropy",
        "expected_entropy",
        "mutual_information",
        "variation",
    ]
    if entry["target"] == "all":
        keys += [f"{quantity}.{k}" for quantity in quantities for k in classes]
        keys += ["positive", "seen", "covariance_share"]
    else:
        keys += quantities
    pictures = range(pictures_of(config, entry["passes"]))
    return behind(f"passes.{name}", ["passes", *(f"{picture}.{key}" for picture in pictures for key in keys)])


def classes_of(config: Config, model: str) -> Iterable[int | str]:
    """Numbers of the classes of a model; left open for one that is imported."""
    return "*" if is_imported(config["models"][model]) else CLASSES


def pictures_of(config: Config, passes: str) -> int:
    """Number of pictures that an entry of ``passes`` runs over."""
    entry = config["passes"][passes]
    if entry["pictures"] is not None:
        return len(entry["pictures"])
    probe = config["probes"][entry["probe"]]
    sizes = {"rotations": len(probe.get("angles") or ()), "occlusions": 17, FOLDER: probe.get("count")}
    return sizes.get(probe["kind"]) or len(CLASSES)


def of_evidence(config: Config, name: str) -> Keys:
    """How much the uncertainty of networks tells."""
    areas = [f"auroc.{question}{end}" for question in ("errors", *FOREIGN) for end in ("", ".low", ".high")]
    keys = ["n", *(f"n.{kind}" for kind in FOREIGN), "level", "passes", "passes.n"]
    for network in config["evidence"][name]["models"]:
        in_passes = [f"{measure}.{key}" for measure in PASS_MEASURES for key in ("errors", *areas)]
        keys += behind(network, ["errors", *areas, *in_passes])  # the last ones of networks with dropout
    return behind(f"evidence.{name}", keys)


def of_calibration(config: Config, name: str) -> Keys:
    """What calibrations are worth, and maps before and after a temperature."""
    keys = ["bins", "identity.temperature"]
    for network in config["calibrations"][name]["models"]:
        measures = [f"{scaling}.{metric}" for scaling in SCALINGS for metric in CALIBRATION]
        keys += behind(network, ["temperature", "fitted_on", "judged_on", *measures])
    keys += [f"identity.{case}.{what}" for case in IDENTITY for what in ("cosine", "ratio", "gap")]
    measures = [f"{when}.{metric}" for when in ("none", "temperature") for metric in CALIBRATION]
    keys += behind("photographs", ["shown", "ratio", "temperature", "n", *measures])
    return behind(f"calibration.{name}", keys)


def of_toys(_config: Config, name: str) -> Keys:
    """Answers of methods about networks of a few units; which those are, the job knows."""
    return behind(f"toys.{name}", ["answer.*", "pair.*", "matrix.*", "heading.*", "convolution.difference"])


def of_claims(config: Config) -> Keys:
    """Verdicts, and what they rest on; what else an assertion states, its code knows."""
    if not config["claims"]:
        return []
    facts = ["verdict", "value", "low", "high", "images", "seeds", "also.*"]
    counts = [f"claims.count.{verdict.replace(' ', '_')}" for verdict in ("all", *VERDICTS)]
    largest = ["claims.seeds", "claims.images"]
    return counts + largest + [key for rule in load_rules() for key in behind(f"claim.{rule.id}", facts)]


def of_replication(config: Config) -> Keys:
    """How many of the numbers that the study printed are reproduced."""
    if not config["replication"]:
        return []
    counts = ["count", "compared", "reproduced", "not_reproduced", "not_run", "replicated"]
    kinds = [f"{kind.replace(' ', '_')}.{count}" for kind in KINDS for count in counts]
    return behind("replication", [*counts, *kinds, *config["replication"], "reason", "list", "test.*"])


def of_figure(config: Config, name: str) -> Keys:
    """What captions say, by the kind of the figure."""
    definition = config["figures"][name]
    declare = _KINDS.get(definition["kind"], _maps)
    return behind(f"figure.{name}", declare(config, definition))


def behind(prefix: str, keys: Iterable[str]) -> Keys:
    """Keys behind a prefix and a dot."""
    return [f"{prefix}.{key}" for key in keys]


# Kinds of figures. Rows whose names the configuration does not give are left open.


def _scale(_config: Config, _definition: Config) -> Keys:
    return ["limit", "quantile", "beyond.max"]


def _maps(config: Config, definition: Config) -> Keys:
    panels, published = definition["panels"], definition["published"]
    with_published = [name for name in panels if name + PUBLISHED in published]
    agreement = [f"agreement.{name}.{what}" for name in with_published for what in ("cosine", "rank", "size")]
    return [*_scale(config, definition), *agreement, *_compared(panels, panels)]


def _compared(rows: Iterable[str], apart: Iterable[str]) -> Keys:
    """How rows of a block compare with the row above, and with each other."""
    alike = [f"alike.{one}.{other}" for one, other in itertools.combinations(rows, 2)]
    return [f"apart.{name}" for name in list(apart)[1:]] + alike


def _difference(config: Config, definition: Config) -> Keys:
    one, other, *more = definition["panels"]
    rows = _compared([one, other, DIFFERENCE, *more], [one, other, *more])
    return [*_maps(config, definition), *rows, "difference.max", "difference.relative"]


def _open_rows(config: Config, definition: Config) -> Keys:
    return [*_scale(config, definition), "agreement.*", "apart.*", "alike.*"]


def _dropout_maps(config: Config, definition: Config) -> Keys:
    rows = []
    for name in definition["panels"]:
        rows += [f"{name}_one", f"{name}_mean"] if name in config["pass_attributions"] else [name]
    published = ["agreement.*", "alike.*"] if definition["published"] else []
    return [*_scale(config, definition), *_compared(rows, rows), *published]


def _occlusion(_config: Config, _definition: Config) -> Keys:
    return ["limit", "label", "whole", "positions", "wrong", "worst.probability", "worst.seen", "worst.seen_share"]


def _gradient_path(_config: Config, definition: Config) -> Keys:
    facts = ["pieces", "first", "largest.min", "largest.max", "largest.end", "change.first", "change.end"]
    return [key for name in [*definition["panels"], *definition["published"]] for key in behind(name, facts)]


def _evidence_curve(_config: Config, _definition: Config) -> Keys:
    keys = ["label", "angles", "first.u", "last.u", "most.u", "most.angle", "abstains", "last.class"]
    return [*keys, "ordinary.last.class", "ordinary.lowest"]


def _pass_scatter(config: Config, definition: Config) -> Keys:
    passes = config["pass_attributions"][definition["panels"][0]]["passes"]
    facts = ["angle", "first", "first_share", "second", "second_share"]
    pictures = range(pictures_of(config, passes))
    return ["passes", "classes", *(f"{picture}.{fact}" for picture in pictures for fact in facts)]


def _reliability(_config: Config, _definition: Config) -> Keys:
    return []  # the numbers of calibrations come from the job that makes them


def _dreams(_config: Config, _definition: Config) -> Keys:
    keys = ["photograph", "photograph.reason", "network", "network.reason", "width", "height", "full_width"]
    keys += ["full_height", "octaves", "steps", "tile"]
    return keys + [f"{side}.{what}" for side in ("left", "right") for what in ("name", "begin", "end")]


def _dreams_without(_config: Config, _definition: Config) -> Keys:
    keys = ["photograph", "photograph.reason", "network", "network.reason", "layer", "crops", "crop", "tile"]
    keys += ["steps", "octaves", "penalty", "noise", "photograph.brightness"]
    measures = ("high_frequency", "seams", "brightness", "activation")
    return keys + [f"{technique}.{measure}" for technique in TECHNIQUES for measure in measures]


def _syntheses(config: Config, definition: Config) -> Keys:
    keys: Keys = []
    for name in [*definition["panels"], *definition["published"]]:
        facts = ["classes", "starts", "images", "limit", "steps.median", "steps.most", "within_five", "p.least"]
        classes = classes_of(config, config["syntheses"][name]["model"])
        facts += ["judged.least", "shown_failed", "failed", *(f"p.{k}" for k in classes)]
        if config["syntheses"][name]["threshold"] is not None:
            facts += ["reached", "above", "reached_from_any", "stuck"]
        keys += behind(name, facts)
    return keys


_KINDS: Mapping[str, Callable[[Config, Config], Keys]] = {
    "difference": _difference,
    "reconstructions": _open_rows,
    "filters": _open_rows,
    "occlusion": _occlusion,
    "gradient_path": _gradient_path,
    "evidence_curve": _evidence_curve,
    "reliability": _reliability,
    "before_and_after": _open_rows,
    "dreams_of_layers": _dreams,
    "dreams_of_channels": _dreams,
    "dreams_without": _dreams_without,
    "activation_views": lambda _config, _definition: ["label", "shown"],
    "samples": lambda _config, _definition: [],
    "toys": lambda _config, _definition: [],
    "syntheses": _syntheses,
    "pass_scatter": _pass_scatter,
    "passes_by_class": _open_rows,
    "uncertainty_maps": _open_rows,
    "dropout_maps": _dropout_maps,
}
"""Kinds of figures that say something else than maps of the same pictures do."""
