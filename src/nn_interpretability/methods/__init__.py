"""The methods, one public class per file; :mod:`nn_interpretability.registry` lists them by name."""
