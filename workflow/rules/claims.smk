# What the study asserts, claim by claim: one job measures a group of claims, one decides all of them together.


for group, claims in CLAIM_GROUPS.items():

    rule:
        name:
            f"measure_claims_{group}"
        input:
            digits=rules.prepare_digits.output.digits,
            weights=[
                rules.train_model.output.weights.format(model=name)
                for names in claim_networks(config, claims).values()
                for name in names
            ],
            generators=expand(
                rules.train_generator.output.weights, generator=claim_generators(config, claims)
            ),
        output:
            measured=expand(CLAIM, claim=[claim.id for claim in claims]),
        log:
            f"<logs>/measure_claims/{group}.log",
        benchmark:
            f"<benchmarks>/measure_claims/{group}.tsv"
        priority: 1
        conda:
            "../../envs/compute.yaml"
        threads: 1
        resources:
            **GPU,
            local=config["data"]["local"] or "",
        params:
            code=code_digest(
                "nn_interpretability.claims.measure",
                *sorted(claim.full_module for claim in claims),
                *architectures_of(claim_networks(config, claims)),
            ),
            rules={claim.id: claim.digest for claim in claims},
            networks={
                name: {"architecture": config["models"][name]["architecture"], "seeds": len(names)}
                for name, names in claim_networks(config, claims).items()
            },
            generators=claim_generators(config, claims),
            budget=config["claims"],
            seed=derive_seed(config["seed"], "claims"),
        script:
            "../../scripts/measure_claims.py"


if CLAIM_GROUPS:

    rule decide_claims:
        input:
            measured=expand(CLAIM, claim=[claim.id for claims in CLAIM_GROUPS.values() for claim in claims]),
        output:
            ledger=report("<results>/claims.json", caption="../report/claims.rst", category="Claims"),
            numbers=CLAIM_NUMBERS[0],
        log:
            "<logs>/decide_claims.log",
        benchmark:
            "<benchmarks>/decide_claims.tsv"
        conda:
            "../../envs/compute.yaml"
        threads: 1
        params:
            code=code_digest(
                "nn_interpretability.claims.ledger",
                *sorted(claim.full_module for claims in CLAIM_GROUPS.values() for claim in claims),
            ),
            claims={claim.id: claim.digest for claims in CLAIM_GROUPS.values() for claim in claims},
            declared=NUMBERS["claims"],
        script:
            "../../scripts/decide_claims.py"


rule claims:
    input:
        expand(CLAIM, claim=[claim.id for claims in CLAIM_GROUPS.values() for claim in claims]),
        rules.decide_claims.output.ledger if CLAIM_GROUPS else [],
        CLAIM_NUMBERS,
