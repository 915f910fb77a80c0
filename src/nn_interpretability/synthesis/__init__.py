"""Pictures that a model answers to: synthesised by ascent, instead of explained."""
