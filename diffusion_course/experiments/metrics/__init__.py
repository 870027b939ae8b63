"""Numbers that judge samples, with their error bars: `from diffusion_course.experiments import metrics`.

What they are computed from are features (N, d): of a judge (`features`), or of Inception (`fid.networks`).
"""

from .error_bars import jackknife, leave_out, scatter, wilson
from .gaussians import Gaussian, Moments, frechet, frechet_distance, read_statistics, write_statistics
from .judged import count_recognised, features, recognised
from .kernel import kid, kid_with_error
from .neighbours import density_coverage, precision_recall

__all__ = [
    "Gaussian",
    "Moments",
    "count_recognised",
    "density_coverage",
    "features",
    "frechet",
    "frechet_distance",
    "jackknife",
    "kid",
    "kid_with_error",
    "leave_out",
    "precision_recall",
    "read_statistics",
    "recognised",
    "scatter",
    "wilson",
    "write_statistics",
]
