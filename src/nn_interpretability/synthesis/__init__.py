"""Pictures made by a model: what a unit, a layer or a class answers to most."""
