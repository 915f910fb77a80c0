"""Random numbers that depend on a key alone, and moments of what they give.

==================  ==========================================================
:mod:`.noise`       counter-based uniform and normal numbers
:mod:`.moments`     mean and variance of maps that arrive block by block
==================  ==========================================================
"""
