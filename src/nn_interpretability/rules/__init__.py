"""Rules: what the backward pass of an operation becomes.

====================  ======================================================================
:mod:`.linear`        rules of linear layers as data, and the surrogate that carries them out
:mod:`.activation`    activations: relevance passes through, as the secant
:mod:`.relu`          the rulebook of guided backpropagation and deconvolution
:mod:`.pooling`       max-pooling: winner takes all, or in proportion
:mod:`.affine`        batch norm that no linear layer precedes
:mod:`.composite`     which rule for which layer
:mod:`.lrp`           the rulebook of layer-wise relevance propagation
:mod:`.differences`   multipliers of DeepLIFT, element by element, and max-pooling's
:mod:`.spread`        the parts of differences, handed on from operation to operation
:mod:`.deeplift`      the rulebook of DeepLIFT
:mod:`.gap_head`      finds the pooled feature maps and weights that class activation maps need
====================  ======================================================================
"""
