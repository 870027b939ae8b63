"""What does guidance buy, and what does it cost? Quality against the scale, with and without a classifier."""

import torch
from torch import Tensor

from ...denoisers import Denoiser
from ...guidance import classifier, clip
from ...samplers import sample
from ...schedules import karras
from .. import zoo
from ..drawing import Samples, draw, initial
from ..metrics import count_recognised
from ..quality import quality
from .study import Row, Study

STEPS = 18
FIRST = 40  # samples that a notebook can make again in a few seconds


def samples(row: Row, n: int | None = None, device: torch.device | str = "cpu") -> Samples:
    """The images of a row of either study, or its first n: the same up to rounding, since each has its own initial noise."""
    n = n or row["n"]
    if "scale" in row:
        return draw_by_classifier(row["data"], row["scale"], n, row["steps"], row["seed"], device)
    model = zoo.load(f"{row['data']}-edm", device)
    return draw(model, n, row["w"], karras(row["steps"]), seed=row["seed"], device=device)


def draw_by_classifier(
    data: str,
    scale: float,
    n: int,
    steps: int,
    seed: int,
    device: torch.device | str = "cpu",
    batch: int = 100,
) -> Samples:
    """Samples of the network without label, guided by the noisy classifier (Dhariwal & Nichol 2021, algorithm 2).

    Noise, labels and grid are those of `drawing.draw`, so that at scale 0 the images are its images with w = 0.
    """
    model, noisy = zoo.load(f"{data}-edm", device), zoo.noisy_classifier(data, device)
    sigmas = karras(steps)
    start, labels = initial(model, n, seed, device)

    def guided(y: Tensor) -> Denoiser:
        return clip(classifier(model, noisy.given(y), scale) if scale else model)

    parts = zip(start.split(batch), labels.split(batch), strict=True)
    images = torch.cat([sample(guided(y), sigmas[0] * x, sigmas) for x, y in parts])
    return Samples(images.clamp(-1, 1), labels)


def measure(row: Row, device: torch.device) -> Row:
    """Quality and mean pixel (black is -1, white 1) of a row's images; how many of the first are recognised."""
    made = samples(row, device=device)
    judge = zoo.judge(row["data"], device)
    return {
        f"recognised of the first {FIRST}": count_recognised(judge, made.images[:FIRST], made.labels[:FIRST]),
        **quality(made.images, made.labels, row["data"], device),
        "mean pixel": round(made.images.mean().item(), 4),
    }


STUDIES = {
    "guidance": Study(
        what="Classifier-free guidance: quality of 500 samples against the scale w, 18 Euler steps (w = 1: none)",
        settings=[
            {"data": data, "w": w, "steps": STEPS, "n": 500, "seed": 0}
            for data in ("mnist", "fashion-mnist")
            for w in (0, 1, 1.5, 2, 3, 4, 6, 10)
        ],
        measure=measure,
    ),
    # The same network without its label, and the same noise: rows can be compared with those of "guidance".
    "classifier-guidance": Study(
        what="Classifier guidance on MNIST by a noisy classifier: quality of 500 samples against the scale (0: none)",
        settings=[
            {"data": "mnist", "scale": scale, "steps": STEPS, "n": 500, "seed": 0}
            for scale in (0, 1, 2, 4, 8)
        ],
        measure=measure,
    ),
}
