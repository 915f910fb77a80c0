"""Files that a run makes: written whole or not at all, digested, described, locked, checked.

The modules are imported one by one (``from nn_interpretability.storage.hdf5 import write_hdf5``), so that a
job pays only for what it uses: :mod:`.product` any file, :mod:`.hdf5` arrays with named dimensions,
:mod:`.lock` one run per results folder, :mod:`.lease` one card per job, :mod:`.provenance` what made a file,
:mod:`.verify` checking a results folder, :mod:`.manifest` the list of all products and of what they cost.
"""
