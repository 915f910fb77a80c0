"""From numbers and figures to the report: TeX, tables, margin links, PDF; without torch.

``tex`` is the one place that spells words and numbers for LaTeX, ``tables`` writes the generated tables,
``provenance`` says which job made a figure, ``pdf`` runs latexmk.
"""
