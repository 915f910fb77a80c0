"""Data: where they come from, how they are checked, split and stored, and which pictures are explained."""
