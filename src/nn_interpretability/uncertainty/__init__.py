"""How sure a network is, and how right it is to be so: evidence, calibration."""
