"""Random numbers that depend on a key alone, and methods repeated over passes in which something is random.

=====================  ==========================================================================================
:mod:`.noise`          counter-based uniform and normal numbers
:mod:`.moments`        mean and variance of maps that arrive block by block (SmoothGrad)
:mod:`.draws`          the numbers of a block of passes, drawn once
:mod:`.dropout`        dropout of any model with masks from these numbers; passes born at the first dropout
:mod:`.sampler`        what is random, blocks, and the scores of passes
:mod:`.attributor`     a method on blocks of passes: sums by autograd, or each pass's own map
:mod:`.pooling`        faster max-pooling with the same bits, for forward passes
:mod:`.chunks`         what a chunk of passes is
:mod:`.passes`         ``draw_passes``, ``attribute_passes``: a workflow's jobs
:mod:`.merge`          ``Merge``, ``merge_passes``: chunks that tile the passes, added in their order
:mod:`.files`          chunks and results in HDF5
:mod:`.result`         :class:`~.result.PassesAttribution`
:mod:`.information`    entropies and mutual information of passes, and how to explain them
:mod:`.mc_dropout`     :class:`~.mc_dropout.MCDropout`
:mod:`.input_noise`    :class:`~.input_noise.InputNoise`
=====================  ==========================================================================================

Everything but noise and moments stands above :mod:`nn_interpretability.methods`.
"""
