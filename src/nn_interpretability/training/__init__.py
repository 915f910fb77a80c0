"""Training of classifiers, how well they are calibrated, and the card that says so."""
