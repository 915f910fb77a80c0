"""One module for each assertion: ``measure(context, rule)`` and ``decide(measured, rule)``."""
