# What all rules share. Nothing here computes: the package does, and is tested there.

import os
from pathlib import Path

from nn_interpretability.claims.rules import rules_file
from nn_interpretability.code_digest import code_digest
from nn_interpretability.config.claims import claim_generators, claim_groups, claim_networks, replicas
from nn_interpretability.config.cluster import as_given, check_executor, check_placeholders
from nn_interpretability.config.devices import gpus_to_ask
from nn_interpretability.config import models as networks
from nn_interpretability.config.groups import grouped, synthesis_jobs
from nn_interpretability.config.passes import (
    attribute_jobs,
    chunk_name,
    chunks,
    draw_jobs,
    drawn_files,
    drawn_settings,
    explained_settings,
    merge_jobs,
    merged_settings,
    passes_file,
    sums_file,
    sums_files,
)
from nn_interpretability.config.report import fit
from nn_interpretability.config.seeds import derive_seed, seeded
from nn_interpretability.config.shown import file_of, labels_of
from nn_interpretability.config.validate import checked
from nn_interpretability.data import imagenet, photographs, pretrained, study_weights
from nn_interpretability.data.digits import earlier_source, look_up
from nn_interpretability.data.folder import chosen_files
from nn_interpretability.data.kept import kept, record, refusal, with_photographs, with_weights
from nn_interpretability.data.own_files import located
from nn_interpretability.errors import ConfigError, DiskError, LockedError
from nn_interpretability.models.build import architecture_module
from nn_interpretability.plotting.style_sheet import style_settings
from nn_interpretability.registry import method_modules
from nn_interpretability.reporting.names import figure_title
from nn_interpretability.reporting.tables import TABLES
from nn_interpretability.storage.job_record import write_run
from nn_interpretability.storage.lock import RunLock
from nn_interpretability.storage.product import digest_of
from nn_interpretability.study.published import JOBS as PUBLISHED_JOBS
from nn_interpretability.study.published import FILE as PUBLISHED
from nn_interpretability.study.replicate import entries_of
from nn_interpretability.study.number_keys import declared_numbers
from nn_interpretability.training.losses import loss_module

# The checkout, also where the run's folder is another one (--directory).
CHECKOUT = Path(workflow.basedir)
CHECKOUT = CHECKOUT.parent if CHECKOUT.name == "workflow" else CHECKOUT

# What the cluster's profile says of every job; empty without one.
DEFAULT_RESOURCES = as_given(workflow.resource_settings.default_resources)

try:
    config = checked(config, files=workflow.configfiles)
    check_placeholders(DEFAULT_RESOURCES)
    # What the report's text names and no job makes stops here; what this configuration leaves out, the report leaves out.
    REPORT = fit(CHECKOUT / "report", config, study=CHECKOUT / "config.yaml")
except ConfigError as error:
    raise SystemExit(str(error))


pathvars:
    results=config["results"],
    logs=f"{config['results']}/logs",
    benchmarks=f"{config['results']}/benchmarks",


# Files that the jobs made in loops write.
ATTRIBUTION = f"{config['results']}/attributions/{{attribution}}.h5"
PASS_ATTRIBUTION = f"{config['results']}/pass_attributions/{{name}}.h5"
PASS_NUMBERS = f"{config['results']}/numbers/passes/{{name}}.json"
FIGURE = f"{config['results']}/figures/{{figure}}.{{kind}}"
FIGURE_DATA = f"{config['results']}/figures/data/{{figure}}.h5"
FIGURE_NUMBERS = f"{config['results']}/numbers/figures/{{figure}}.json"

# Networks that are trained on the digits, and those that come from outside; probes of digits, and of your own pictures.
TRAINED, IMPORTED = networks.trained(config), networks.imported(config)
DIGITS, FOLDERS = networks.digit_probes(config), networks.folder_probes(config)
NEEDS_DIGITS = networks.needs_digits(config)

# What is measured of the samples of all generative models, if there are any.
GENERATOR_METRICS = [f"{config['results']}/metrics/generators.csv"] if config["generators"] else []
GENERATOR_NUMBERS = [f"{config['results']}/numbers/generators.json"] if config["generators"] else []

# The keys of the numbers that each job may write, by the file that they go to.
NUMBERS = declared_numbers(config)

# Verdicts on the numbers that the study printed, and what the report says of them.
REPLICATED = (
    [f"{config['results']}/replication/verdicts.json", f"{config['results']}/numbers/replication.json"]
    if config["replication"]
    else []
)

# What one job does: the attributions of a model by a method, the figures of a section.
ATTRIBUTION_JOBS = grouped(config["attributions"], "model", "method")
DRAW_JOBS, ATTRIBUTE_CHUNK_JOBS, MERGE_JOBS = draw_jobs(config), attribute_jobs(config), merge_jobs(config)
SECTIONS = grouped(config["figures"], "section")

# What claims need: one job measures those of a group, on networks that are trained again from other seeds.
CLAIM_GROUPS, REPLICAS = claim_groups(config), replicas(config)
CLAIM = f"{config['results']}/claims/{{claim}}.h5"
CLAIM_NUMBERS = [f"{config['results']}/numbers/claims.json"] if CLAIM_GROUPS else []

# The searches of a model, among pixels apart from those that wait for generative models: by model and what they need.
SYNTHESIS_JOBS = synthesis_jobs(config["syntheses"])


wildcard_constraints:
    generator="|".join(config["generators"]) or "none",
    model="|".join([*config["models"], *REPLICAS]),
    probe="|".join(config["probes"]),
    dream="|".join(config["dreams"]) or "none",
    view="|".join(config["activation_views"]) or "none",
    evidence="|".join(config["evidence"]) or "none",
    calibration="|".join(config["calibrations"]) or "none",
    toys="|".join(config["toys"]) or "none",
    published="|".join(PUBLISHED_JOBS),


report: "../report/workflow.rst"


# Jobs whose products also hold what only data of the user's give, and whether these are there now. The last output of such
# a job is the one that says what it was made with.
FROM_DATA_FOLDER = {
    "reproduce_published": lambda wildcards: study_weights.look_up(config["data"]["local"]),
    "calibrate": lambda wildcards: photographs_of(wildcards.calibration) is not None,
}


run_lock = RunLock()


onstart:
    try:
        check_executor(workflow.executor_plugin.name, workflow.executor_settings, DEFAULT_RESOURCES)
        for job in workflow.dag.needrun_jobs():
            there = FROM_DATA_FOLDER.get(job.rule.name)
            if there and job.params.available and not there(job.wildcards):
                raise ConfigError(refusal(job.output[-1]))
        run_lock.acquire(config["results"])
        write_run(
            config["results"],
            files=map(os.path.relpath, workflow.config_settings.configfiles),
            alone=workflow.config_settings.replace_workflow_config,
        )
    except (ConfigError, DiskError, LockedError) as error:
        raise SystemExit(str(error))


onsuccess:
    run_lock.release()


onerror:
    run_lock.release()


# Rules that can use a GPU ask for it and name the device. Resources are no reason to run a job again.
GPU = {"gpu": gpus_to_ask(config["device"]), "device": config["device"]}

# Where the digits of an earlier run came from: a worse source does not replace them.
DIGITS_RECORD = Path(config["results"], "data", "digits.json")
DREAM_RECORD = Path(config["results"], "dreams", "record.json")


def attribution(name):
    """The entry of an attribution in the configuration, with the seed of its noise, the same for all."""
    entry = config["attributions"][name]
    return {**entry, "parameters": seeded(entry["method"], entry["parameters"], config["seed"])}


def modules_of(names, section="attributions"):
    """What the methods of some entries import, each module once."""
    entries = [config[section][name] for name in names]
    return sorted(
        {module for entry in entries for module in method_modules(entry["method"], entry["parameters"])}
    )


def passes_of(name):
    """The passes that an entry of ``pass_attributions`` explains, as the configuration has them."""
    return config["passes"][config["pass_attributions"][name]["passes"]]


def probe_file(probe):
    """The file of a probe."""
    return rules.select_probes.output.probe.format(probe=probe)


def rules_of_passes():
    """The names of the rules made in loops for passes."""
    for model, begin, end in DRAW_JOBS:
        yield f"draw_passes_{model}_{begin}_{end}"
    for model, method, begin, end in ATTRIBUTE_CHUNK_JOBS:
        yield f"attribute_chunk_{model}_{method}_{begin}_{end}"
    for model in MERGE_JOBS:
        yield f"merge_passes_{model}"


def model(wildcards):
    """The entry of a model in the configuration, or of the model that it repeats."""
    return config["models"][REPLICAS.get(wildcards.model, wildcards.model)]


def architecture(name):
    """How the network of a model is built, see :func:`nn_interpretability.models.build.build_model`."""
    return networks.architecture(config["models"][name])


def architectures_of(models):
    """The modules or files that define the networks of some models, each once."""
    return sorted({architecture_module(architecture(name)) for name in models})


def files_of(*paths):
    """Those of the user's own files that are there; a job that lacks one says so itself."""
    found = [located(path, config["data"]["local"]) for path in paths]
    return [str(path) for path in found if path.is_file()]


def pictures_of(probe):
    """The pictures of a folder that are explained; none if it is not there."""
    settings = config["probes"][probe]
    folder = located(settings["pictures"], config["data"]["local"])
    return [str(file) for file in chosen_files(folder, settings["count"])] if folder.is_dir() else []


def class_names_of(probe):
    """The file of the class names of a probe, if it has one."""
    classes = config["probes"][probe]["classes"]
    return files_of(classes) if isinstance(classes, str) else []


def photographs_of(calibration):
    """Where the photographs of a calibration and the weights of their network lie; None if they are not there."""
    settings = config["calibrations"][calibration]["photographs"]
    return imagenet.look_up(config["data"]["local"], settings["weights"], settings["pictures"])


def sources_of(figures):
    """What some figures show, each once."""
    entries = [config["figures"][name] for name in figures]
    return list(dict.fromkeys(name for entry in entries for name in [*entry["panels"], *entry["published"]]))


def model_seed(name):
    """The seed of a model's first weights and of its training."""
    return derive_seed(config["seed"], "train_model", name)


def generator_seed(name):
    """The seed of a generative model's first weights and of its training."""
    return derive_seed(config["seed"], "train_generator", name)


def benchmarks_of(rule, wildcard, names):
    """The benchmark file of each job of a rule, by the name of the job."""
    path = str(getattr(rules, rule).benchmark)
    return {f"{rule}:{wildcard}={name}": path.format(**{wildcard: name}) for name in names}


def benchmarks_of_rules(names):
    """The benchmark file of each of some rules without wildcards, by the name of the rule."""
    return {name: str(getattr(rules, name).benchmark) for name in names}


def probe_of_kind(kind):
    """The first probe of a kind, which syntheses start from."""
    found = [name for name in DIGITS if config["probes"][name]["kind"] == kind]
    if not found:
        raise SystemExit(
            f"syntheses need a probe of kind {kind}, and there is none under probes; nothing was run."
        )
    return found[0]


def judges_of(synthesis_model):
    """Who judges images beside the network that they are made for: nobody, where it is not trained on the digits."""
    return [] if synthesis_model in IMPORTED else [config["samples"]["judge"]]


def material_of(synthesis_model):
    """What searches begin with: digits and their class means; for an imported network, pictures of its size."""
    if synthesis_model in IMPORTED:
        return {"pictures": probe_file(config["models"][synthesis_model]["probe"])}
    return {
        "judge": rules.train_model.output.weights.format(model=config["samples"]["judge"]),
        "pictures": probe_file(probe_of_kind("first_of_class")),
        "means": probe_file(probe_of_kind("class_means")),
    }


def source_files(folder):
    """The files of a folder of the checkout, as paths that are the same wherever the checkout lies."""
    return [os.path.relpath(file) for file in sorted((CHECKOUT / folder).rglob("*.*")) if file.is_file()]
