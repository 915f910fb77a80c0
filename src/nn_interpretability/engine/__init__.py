"""The engine: the ordinary backward pass of a surrogate network with the same values but other slopes.

========================  ====================================================================
:mod:`.operations`        what an intercepted call is: a linear operation, an activation, ...
:mod:`.surrogate`         grafting: keep the value of an operation, replace its backward pass
:mod:`.mode`              sees each operation of the unmodified model and asks the rulebook
:mod:`.stabilizer`        keeps denominators away from zero
:mod:`.bounds`            follows the bounds of the pixels up to the first weighted layer
:mod:`.pairs`             images and references in one batch
:mod:`.coverage`          which operations had a rule, and which did not
:mod:`.trace`             where relevance went, layer by layer
:mod:`.layers`            reads the output of a named layer, and the gradient that arrives there
:mod:`.forward`           one forward pass, and as many backward passes as there are targets
:mod:`.preserve`          leaves the model as it was found
:mod:`.precision`         full single precision on a GPU
========================  ====================================================================
"""
