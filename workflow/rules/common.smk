# What all rules share. Nothing here computes: the package does, and is tested there.

import os
from pathlib import Path

from nn_interpretability.code_digest import code_digest
from nn_interpretability.config.devices import gpus_to_ask
from nn_interpretability.config.seeds import derive_seed, seeded
from nn_interpretability.config.validate import checked
from nn_interpretability.data.digits import earlier_source, look_up
from nn_interpretability.errors import ConfigError, LockedError
from nn_interpretability.models.build import architecture_module
from nn_interpretability.registry import method_modules
from nn_interpretability.reporting.tables import TABLES
from nn_interpretability.storage.lock import RunLock

try:
    config = checked(config, files=workflow.configfiles)
except ConfigError as error:
    raise SystemExit(str(error))


pathvars:
    results=config["results"],
    logs=f"{config['results']}/logs",
    benchmarks=f"{config['results']}/benchmarks",


# The attributions of each method, which are measured together.
METHODS = {}
for name, entry in config["attributions"].items():
    METHODS.setdefault(entry["method"], []).append(name)


wildcard_constraints:
    attribution="|".join(config["attributions"]) or "none",
    figure="|".join(config["figures"]) or "none",
    method="|".join(METHODS) or "none",
    model="|".join(config["models"]),
    probe="|".join(config["probes"]),


report: "../report/workflow.rst"


run_lock = RunLock()


onstart:
    try:
        run_lock.acquire(config["results"])
    except LockedError as error:
        raise SystemExit(str(error))


onsuccess:
    run_lock.release()


onerror:
    run_lock.release()


# Rules that can use a GPU ask for it and name the device. Resources are no reason to run a job again.
GPU = {"gpu": gpus_to_ask(config["device"]), "device": config["device"]}

# Where the digits of an earlier run came from: a worse source does not replace them.
DIGITS_RECORD = Path(config["results"], "data", "digits.json")

# The checkout, also where the run's folder is another one (--directory).
CHECKOUT = Path(workflow.basedir)
CHECKOUT = CHECKOUT.parent if CHECKOUT.name == "workflow" else CHECKOUT


def attribution(wildcards):
    """The entry of an attribution in the configuration, with the seed of its noise, the same for all."""
    entry = config["attributions"][wildcards.attribution]
    return {**entry, "parameters": seeded(entry["method"], entry["parameters"], config["seed"])}


def model(wildcards):
    """The entry of a model in the configuration."""
    return config["models"][wildcards.model]


def models_of(attributions):
    """The model that each of some attributions explains."""
    return [config["attributions"][name]["model"] for name in attributions]


def attributions_of(wildcards):
    """The attributions that a figure shows."""
    figure = config["figures"][wildcards.figure]
    return [*figure["panels"], *figure["published"]]


def model_seed(name):
    """The seed of a model's first weights and of its training."""
    return derive_seed(config["seed"], "train_model", name)


def benchmarks_of(rule, wildcard, names):
    """The benchmark file of each job of a rule, by the name of the job."""
    path = str(getattr(rules, rule).benchmark)
    return {f"{rule}:{wildcard}={name}": path.format(**{wildcard: name}) for name in names}


def source_files(folder):
    """The files of a folder of the checkout, as paths that are the same wherever the checkout lies."""
    return [os.path.relpath(file) for file in sorted((CHECKOUT / folder).rglob("*.*")) if file.is_file()]
