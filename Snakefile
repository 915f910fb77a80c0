include: "workflow/Snakefile"


# What `snakemake` alone makes: an included file cannot say that.
rule study:
    input:
        rules.all.input,
