# How sure networks are, and how right they are to be so: evidence, calibration.


rule measure_evidence:
    input:
        digits=rules.prepare_digits.output.digits,
        probe=lambda wildcards: rules.select_probes.output.probe.format(
            probe=config["evidence"][wildcards.evidence]["probe"]
        ),
        weights=lambda wildcards: expand(
            rules.train_model.output.weights, model=config["evidence"][wildcards.evidence]["models"]
        ),
    output:
        evidence="<results>/evidence/{evidence}.h5",
        numbers="<results>/numbers/evidence/{evidence}.json",
        metrics="<results>/metrics/evidence/{evidence}.csv",
    log:
        "<logs>/measure_evidence/{evidence}.log",
    benchmark:
        "<benchmarks>/measure_evidence/{evidence}.tsv"
    conda:
        "../../envs/compute.yaml"
    threads: 1
    params:
        code=lambda wildcards: code_digest(
            "nn_interpretability.study.evidence",
            *architectures_of(config["evidence"][wildcards.evidence]["models"]),
        ),
        declared=lambda wildcards: NUMBERS[f"evidence/{wildcards.evidence}"],
        networks=lambda wildcards: {
            name: {
                "architecture": architecture(name),
                "evidential": config["models"][name]["loss"] == "evidential",
            }
            for name in config["evidence"][wildcards.evidence]["models"]
        },
        counts=lambda wildcards: {
            key: config["evidence"][wildcards.evidence][key]
            for key in ("pictures", "passes", "pass_pictures")
        },
        seed=derive_seed(config["seed"], "measure_evidence"),
    script:
        "../../scripts/measure_evidence.py"


rule calibrate:
    input:
        digits=rules.prepare_digits.output.digits,
        probe=lambda wildcards: rules.select_probes.output.probe.format(
            probe=config["calibrations"][wildcards.calibration]["probe"]
        ),
        weights=lambda wildcards: expand(
            rules.train_model.output.weights, model=config["calibrations"][wildcards.calibration]["models"]
        ),
    output:
        calibration="<results>/calibrations/{calibration}.h5",
        metrics="<results>/metrics/calibrations/{calibration}.csv",
        numbers="<results>/numbers/calibrations/{calibration}.json",
    log:
        "<logs>/calibrate/{calibration}.log",
    benchmark:
        "<benchmarks>/calibrate/{calibration}.tsv"
    conda:
        "../../envs/compute.yaml"
    threads: 1
    resources:
        local=config["data"]["local"] or "",
    params:
        code=lambda wildcards: code_digest(
            "nn_interpretability.study.calibrate",
            *architectures_of(config["calibrations"][wildcards.calibration]["models"]),
        ),
        declared=lambda wildcards: NUMBERS[f"calibrations/{wildcards.calibration}"],
        architectures=lambda wildcards: {
            name: architecture(name) for name in config["calibrations"][wildcards.calibration]["models"]
        },
        bins=lambda wildcards: config["calibrations"][wildcards.calibration]["bins"],
        photographs=lambda wildcards: config["calibrations"][wildcards.calibration]["photographs"],
        # Photographs that turn up later are a reason to run again.
        available=lambda wildcards: kept(
            FROM_DATA_FOLDER["calibrate"](wildcards),
            with_photographs(
                f"{config['results']}/numbers/calibrations/{wildcards.calibration}.json",
                wildcards.calibration,
            ),
            "photographs and the weights of their network",
        ),
    script:
        "../../scripts/calibrate.py"
