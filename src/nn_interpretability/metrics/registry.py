"""What each metric measures, which values are good, and what it costs: plain data, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MetricEntry:
    """What the documentation says about one metric.

    Attributes
    ----------
    measures
        In a few words.
    better
        Whether higher or lower values are better, where one can say so.
    values
        Range, and unit where there is one.
    cost
        In forward passes (F) of the model for each image, or in runs of a method; "none" for a metric of maps alone.
    paper
        Authors and year.
    """

    measures: str
    better: Literal["higher", "lower", "neither"]
    values: str
    cost: str
    paper: str


METRICS: Mapping[str, MetricEntry] = {
    "PixelFlipping": MetricEntry(
        "how the score changes when pixels or regions are deleted by relevance: curves and areas",
        "higher",
        "units of the score",
        "up to 2 `steps` + 1 F; a step that changes no pixel is free",
        "Bach et al. 2015; Samek et al. 2017",
    ),
    "SensitivityN": MetricEntry(
        "correlation of the relevance of random subsets of n pixels with the effect of deleting them",
        "higher",
        "-1 to 1",
        "`subsets` F for each n, + 1 F",
        "Ancona et al. 2018",
    ),
    "Infidelity": MetricEntry(
        "squared error of a map as a linear prediction of the effect of perturbations",
        "lower",
        "0 upwards, squared units of the score",
        "`samples` + 1 F",
        "Yeh et al. 2019",
    ),
    "DigitConversion": MetricEntry(
        "change of the log-odds of two classes when the pixels that tell them apart are erased",
        "higher",
        "log-odds",
        "2 F, and maps of both classes",
        "Shrikumar et al. 2017",
    ),
    "completeness_error": MetricEntry(
        "distance of the sum of a map from the score, relative to it",
        "lower",
        "0 upwards",
        "none",
        "Sundararajan et al. 2017; Bach et al. 2015",
    ),
    "MaxSensitivity": MetricEntry(
        "largest relative change of a map under small noise on the image",
        "lower",
        "0 upwards",
        "`samples` + 1 runs of the method",
        "Yeh et al. 2019",
    ),
    "ParameterRandomisation": MetricEntry(
        "similarity to the maps of the model with its layers randomised, cascading or one by one",
        "lower",
        "-1 to 1 for each layer",
        "one run of the method for each layer, + 1",
        "Adebayo et al. 2018",
    ),
    "RandomLogit": MetricEntry(
        "similarity to the map of another class, drawn at random",
        "lower",
        "-1 to 1",
        "2 runs of the method",
        "Sixt et al. 2020",
    ),
    "relevance_mass": MetricEntry(
        "share of magnitudes inside a mask, such as `dilated_ink`",
        "higher",
        "0 to 1; the mask's share of the pixels for an even map",
        "none",
        "Arras et al. 2022",
    ),
    "relevance_rank_accuracy": MetricEntry(
        "share of the K most relevant pixels inside a mask of K pixels",
        "higher",
        "0 to 1; the mask's share of the pixels for a random order",
        "none",
        "Arras et al. 2022",
    ),
    "pointing_game": MetricEntry(
        "whether the most relevant pixel is inside a mask", "higher", "0 or 1", "none", "Zhang et al. 2018"
    ),
    "gini": MetricEntry(
        "how unevenly magnitudes are spread over pixels, all or those of a mask",
        "higher",
        "0 (even) to 1 - 1/n (one of n pixels)",
        "none",
        "Hurley and Rickard 2009; Chalasani et al. 2020",
    ),
    "entropy_complexity": MetricEntry(
        "entropy of the shares of magnitudes", "lower", "0 (one pixel) to ln n, nats", "none", "Bhatt et al. 2020"
    ),
    "total_variation": MetricEntry(
        "sum of the jumps between neighbouring pixels over that of magnitudes",
        "lower",
        "0 to 4",
        "none",
        "Rudin et al. 1992",
    ),
    "high_frequency_share": MetricEntry(
        "share of spectral energy above half the Nyquist frequency",
        "lower",
        "0 to 1; 0.80 for white noise",
        "none",
        "",
    ),
    "spearman": MetricEntry(
        "rank correlation of two maps, signed or of magnitudes", "neither", "-1 to 1", "none", "Spearman 1904"
    ),
    "cosine": MetricEntry("cosine of the angle between two maps", "neither", "-1 to 1", "none", ""),
    "ssim": MetricEntry("structural similarity of two maps", "neither", "-1 to 1", "none", "Wang et al. 2004"),
    "top_k_intersection": MetricEntry(
        "share of the k largest values at common places",
        "neither",
        "0 to 1; k/n for random maps of n values",
        "none",
        "Ghorbani et al. 2019",
    ),
}
