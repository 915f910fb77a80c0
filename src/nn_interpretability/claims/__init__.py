"""What the study of 2020 asserts, and how each assertion is decided.

``reference/claims.yaml`` lists the assertions, each with its rule, fixed before the first run. An assertion is a module
of :mod:`.assertions`: ``measure`` explains pictures and returns numbers per training seed and picture, ``decide`` makes
a finding of them, without a network. Verdicts are given over all findings together.
"""
