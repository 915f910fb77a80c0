"""Planted measurements, a module for each assertion: ``true()``, where it is true, and ``false()``, where it is not."""
