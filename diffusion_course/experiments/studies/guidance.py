"""What does guidance buy, and what does it cost? Quality against the scale, with and without a classifier."""

import torch
from torch import Tensor

from ...denoisers import Denoiser
from ...guidance import classifier, clip
from ...samplers import Step, euler
from ...schedules import karras
from .. import zoo
from ..drawing import Samples, draw, draw_by, initial
from ..metrics import count_recognised
from ..quality import quality
from .lab import Lab
from .study import Row, Study, for_seeds

STEPS = 18
FIRST = 40  # samples that a notebook can make again in a few seconds


def samples(row: Row, n: int | None = None, device: torch.device | str = "cpu") -> Samples:
    """The images of a row of either study, or its first n: the same up to rounding, since each has its own initial noise."""
    return images(row, Lab(torch.device(device)), n)


def images(row: Row, lab: Lab, n: int | None = None) -> Samples:
    """The images of a row with the networks of a lab."""
    if "scale" in row:
        return by_classifier(row, lab, n)
    model = lab.network(f"{row['data']}-edm", row.get("training seed", 0))
    return draw(model, n or row["n"], row["w"], karras(row["steps"]), seed=row["seed"], device=lab.device)


def by_classifier(row: Row, lab: Lab, n: int | None = None, batch: int | None = None) -> Samples:
    """Samples of the network without label, guided by the noisy classifier (Dhariwal & Nichol 2021, algorithm 2).

    Noise, labels and grid are those of `drawing.draw`, so that at scale 0 the images are its images with w = 0. The classifier
    is the one that ships, whichever the network's training seed.
    """
    model = lab.network(f"{row['data']}-edm", row.get("training seed", 0))
    noisy = lab.kept(("noisy", row["data"]), lambda: zoo.noisy_classifier(row["data"], lab.device))
    start, labels = initial(model, n or row["n"], row["seed"], lab.device)

    def guided(y: Tensor) -> tuple[Denoiser, Step]:
        D = classifier(model, noisy.given(y), row["scale"]) if row["scale"] else model
        return clip(D), euler

    made = draw_by(guided, start, labels, karras(row["steps"]), row["seed"], batch)
    return Samples(made, labels)


def measure(row: Row, lab: Lab) -> Row:
    """Quality and mean pixel (black is -1, white 1) of a row's images; how many of the first are recognised."""
    made = images(row, lab)
    judge = zoo.judge(row["data"], lab.device)
    return {
        f"recognised of the first {FIRST}": count_recognised(judge, made.images[:FIRST], made.labels[:FIRST]),
        **quality(made.images, made.labels, row["data"], lab.device),
        "mean pixel": round(made.images.mean().item(), 4),
    }


STUDIES = {
    "guidance": Study(
        what="Classifier-free guidance: quality of 500 samples against the scale w, 18 Euler steps (w = 1: none)",
        settings=for_seeds(
            {"data": data, "w": w, "steps": STEPS, "n": 500}
            for data in ("mnist", "fashion-mnist")
            for w in (0, 1, 1.5, 2, 3, 4, 6, 10)
        ),
        measure=measure,
    ),
    # The same network without its label, and the same noise: rows can be compared with those of "guidance".
    "classifier-guidance": Study(
        what="Classifier guidance on MNIST by a noisy classifier: quality of 500 samples against the scale (0: none)",
        settings=for_seeds(
            {"data": "mnist", "scale": scale, "steps": STEPS, "n": 500} for scale in (0, 1, 2, 4, 8)
        ),
        measure=measure,
    ),
}
