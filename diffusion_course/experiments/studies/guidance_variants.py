"""Three ways to guide, at the same noise: with the class against without it, the same within an interval, and with a worse network."""

from functools import partial
from typing import Any

from torch import Tensor

from ...denoisers import Denoiser
from ...guidance import Scale, autoguidance, cfg, clip, interval
from ...samplers import Step, euler
from ...schedules import karras
from .. import zoo
from ..drawing import Samples, draw_by, initial
from ..metrics import count_recognised, features, leave_out, precision_recall
from ..quality import quality, reference
from .lab import Lab
from .study import Row, Study, for_seeds

# One architecture. The worse one saw 2.5 epochs and not 38, in smaller batches, and somewhat less noise.
MODEL, WORSE = "mnist-edm-long", "mnist-edm"
LOW, HIGH = 0.2, 2.0  # sigmas between which the guidance of "interval" acts
STEPS = 18
FIRST = 40  # samples that a notebook can make again in a few seconds
SCALES = {
    "none": (1.0,),
    "cfg": (1.15, 1.3, 1.5, 2.0, 3.0),
    "interval": (1.5, 2.0, 3.0, 4.0),
    "autoguidance": (1.5, 2.0, 2.5, 3.0),
}


def samples(row: Row, lab: Lab, n: int | None = None) -> Samples:
    """The images of a row, or its first n: the same up to rounding, since each has its own initial noise."""
    model, worse = (lab.network(name, row["training seed"]) for name in (MODEL, WORSE))
    start, labels = initial(model, n or row["n"], row["seed"], lab.device)

    def guided(y: Tensor) -> tuple[Denoiser, Step]:
        w: Scale = interval(row["w"], LOW, HIGH) if row["variant"] == "interval" else row["w"]
        if row["variant"] == "autoguidance":
            return clip(autoguidance(model.given(y), worse.given(y), w)), euler
        return clip(cfg(model.given(y), model, w)), euler

    return Samples(draw_by(guided, start, labels, karras(row["steps"]), row["seed"]), labels)


def measure(row: Row, lab: Lab) -> Row:
    """Quality of a row's images, with the error bars of precision and recall, and how many of the first are recognised."""
    made, judge = samples(row, lab), zoo.judge("mnist", lab.device)
    return {
        f"recognised of the first {FIRST}": count_recognised(judge, made.images[:FIRST], made.labels[:FIRST]),
        **quality(made.images, made.labels, "mnist", lab.device),
        **without_each_tenth(features(judge, made.images), reference("mnist", None, str(lab.device))[0]),
    }


def without_each_tenth(made: Tensor, test: Tensor) -> dict[str, Any]:
    """Precision and recall of features (N, d) against the first N of the test set's, without each tenth of the samples."""
    real = test[: len(made)]

    def one(which: int, rows: Tensor) -> float:
        return precision_recall(real[rows], made[rows])[which]

    found = {
        name: leave_out(partial(one, which), len(made)) for which, name in enumerate(("precision", "recall"))
    }
    return {
        f"{name} without each tenth": [round(v, 4) for v in values.tolist()] for name, values in found.items()
    }


STUDIES = {
    "guidance-variants": Study(
        what=f"Classifier-free, interval-limited and autoguidance of {MODEL}: 1000 samples each from the same noise, {STEPS} Euler steps",
        settings=for_seeds(
            {"variant": variant, "w": w, "steps": STEPS, "n": 1000}
            for variant, scales in SCALES.items()
            for w in scales
        ),
        measure=measure,
    )
}
