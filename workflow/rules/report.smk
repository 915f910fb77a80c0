# What people read: numbers for the text, tables, the PDF, the HTML report; and what the run cost and made.


localrules:
    numbers,
    timings,
    tables,
    report_pdf,
    report_html,
    manifest,


rule numbers:
    input:
        record=rules.prepare_digits.output.record if NEEDS_DIGITS else [],
        parts=[
            rules.measure_models.output.numbers,
            rules.measure_attributions.output.numbers,
            *GENERATOR_NUMBERS,
            *expand(FIGURE_NUMBERS, figure=config["figures"]),
            *expand(PASS_NUMBERS, name=config["pass_attributions"]),
            *expand(rules.measure_evidence.output.numbers, evidence=config["evidence"]),
            *expand(rules.calibrate.output.numbers, calibration=config["calibrations"]),
            *CLAIM_NUMBERS,
            *expand(rules.toys.output.numbers, toys=config["toys"]),
            *REPLICATED[1:],
        ],
    output:
        run="<results>/numbers/run.json",
        data="<results>/numbers/data.json",
        merged="<results>/numbers.json",
    log:
        "<logs>/numbers.log",
    benchmark:
        "<benchmarks>/numbers.tsv"
    conda:
        "../../envs/draw.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.study.numbers"),
        declared={part: NUMBERS[part] for part in ("run", "data")},
        seed=config["seed"],
    script:
        "../../scripts/numbers.py"


rule timings:
    input:
        rules.numbers.output.merged,
        rules.figures.input,
    output:
        timings="<results>/timings.json",
    log:
        "<logs>/timings.log",
    benchmark:
        "<benchmarks>/timings.tsv"
    conda:
        "../../envs/draw.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.storage.manifest"),
        benchmarks={
            **({"prepare_digits": str(rules.prepare_digits.benchmark)} if NEEDS_DIGITS else {}),
            **benchmarks_of("select_probes", "probe", DIGITS),
            **benchmarks_of("select_pictures", "probe", FOLDERS),
            **benchmarks_of("train_model", "model", TRAINED),
            **benchmarks_of("import_model", "model", IMPORTED),
            **benchmarks_of("train_generator", "generator", config["generators"]),
            **(
                {"sample_generators": str(rules.sample_generators.benchmark)} if config["generators"] else {}
            ),
            **benchmarks_of("dream", "dream", config["dreams"]),
            **benchmarks_of_rules(
                f"synthesize_{name}_{'generative' if generative else 'pixels'}"
                for name, generative in SYNTHESIS_JOBS
            ),
            **benchmarks_of_rules(f"attribute_{model}_{method}" for model, method in ATTRIBUTION_JOBS),
            **benchmarks_of_rules(rules_of_passes()),
            **benchmarks_of_rules(f"figure_data_{section}" for section in SECTIONS),
            **benchmarks_of_rules(f"draw_figure_{section}" for section in SECTIONS),
            **benchmarks_of("measure_evidence", "evidence", config["evidence"]),
            **benchmarks_of("calibrate", "calibration", config["calibrations"]),
            **benchmarks_of("train_model", "model", REPLICAS),
            **benchmarks_of_rules(f"measure_claims_{group}" for group in CLAIM_GROUPS),
            **benchmarks_of("toys", "toys", config["toys"]),
            **(benchmarks_of("reproduce_published", "published", PUBLISHED_JOBS) if REPLICATED else {}),
            **benchmarks_of_rules(["measure_attributions", "measure_models"]),
            "numbers": str(rules.numbers.benchmark),
        },
    script:
        "../../scripts/timings.py"


rule tables:
    input:
        numbers=rules.numbers.output.merged,
        timings=rules.timings.output.timings,
        cards=expand(rules.train_model.output.card, model=config["models"]),
        sidecars=expand(FIGURE, figure=config["figures"], kind="json"),
        claims=rules.decide_claims.output.ledger if CLAIM_GROUPS else [],
        verdicts=REPLICATED[:1],
    output:
        numbers="<results>/report/numbers.tex",
        tables=expand("<results>/report/tables/{table}.tex", table=TABLES),
    log:
        "<logs>/tables.log",
    benchmark:
        "<benchmarks>/tables.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.reporting.tables", "nn_interpretability.reporting.tex"),
        models=list(config["models"]),
        figures=list(config["figures"]),
    script:
        "../../scripts/tables.py"


rule report_pdf:
    input:
        # A figure that no page shows stops the PDF.
        sources=lambda wildcards: REPORT.pages(*source_files("report")),
        numbers=rules.tables.output.numbers,
        tables=rules.tables.output.tables,
        figures=expand(FIGURE, figure=config["figures"], kind="pdf"),
    output:
        pdf="<results>/report/report.pdf",
    log:
        "<logs>/report_pdf.log",
        latex="<logs>/report_pdf.latex.log",
    benchmark:
        "<benchmarks>/report_pdf.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.reporting.pdf"),
        left_out=REPORT.left_out,
        own_figures=REPORT.own,
    script:
        "../../scripts/report_pdf.py"


rule report_html:
    input:
        rules.figures.input,
        rules.models.input,
        rules.generators.input,
        rules.metrics.input,
        rules.claims.input,
    output:
        zip="<results>/report/report.zip",
    log:
        "<logs>/report_html.log",
    benchmark:
        "<benchmarks>/report_html.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.reporting.html"),
        config=config,
        targets=["figures", "models", "generators", "metrics", *(["claims"] if CLAIM_GROUPS else [])],
    script:
        "../../scripts/report_html.py"


rule manifest:
    input:
        rules.prepare_digits.output if NEEDS_DIGITS else [],
        expand(rules.select_probes.output, probe=config["probes"]),
        rules.models.input,
        rules.generators.input,
        expand("<results>/generators/{generator}/samples.h5", generator=config["generators"]),
        rules.attributions.input,
        rules.prepare_dream.output if config["dreams"] else [],
        expand(rules.dream.output, dream=config["dreams"]),
        rules.syntheses.input,
        expand(rules.activation_views.output, view=config["activation_views"]),
        rules.passes.input,
        [file for name in config["pass_attributions"] for file in sums_files(config, name)],
        expand(rules.measure_evidence.output, evidence=config["evidence"]),
        expand(rules.calibrate.output, calibration=config["calibrations"]),
        rules.claims.input,
        expand(rules.toys.output, toys=config["toys"]),
        expand("<results>/replication/{published}.json", published=PUBLISHED_JOBS if REPLICATED else []),
        rules.replication.input,
        rules.numbers.input.parts,
        rules.numbers.output,
        rules.collect_metrics.input,
        rules.collect_metrics.output,
        expand(FIGURE_DATA, figure=config["figures"]),
        rules.figures.input,
    output:
        manifest="<results>/manifest.json",
    log:
        "<logs>/manifest.log",
    benchmark:
        "<benchmarks>/manifest.tsv"
    conda:
        "../../envs/draw.yaml"
    threads: 1
    params:
        code=code_digest("nn_interpretability.storage.manifest"),
    script:
        "../../scripts/manifest.py"


rule report:
    input:
        rules.report_pdf.output,
        rules.report_html.output,
