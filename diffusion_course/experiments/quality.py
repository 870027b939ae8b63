"""How good are samples? The numbers of the course's tables, each with its error bar."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from ..errors import check_integer
from ..nets.autoencoder import Autoencoder
from ..nets.classifier import NoisyClassifier
from ..noise import Noise
from . import data, zoo
from .latents import LatentSpace
from .metrics import (
    count_recognised,
    features,
    frechet_distance,
    leave_out,
    precision_recall,
    recognised,
    scatter,
    wilson,
)
from .metrics.gaussians import Gaussian, fitted


def share(successes: int, n: int) -> dict[str, Any]:
    """A share with its 95 % Wilson interval."""
    low, high = wilson(successes, n)
    return {"share": successes / n, "n": n, "wilson 95 %": [round(low, 4), round(high, 4)]}


def quality(
    images: Tensor,
    labels: Tensor,
    data_name: str,
    device: torch.device | str = "cpu",
    path: str | None = None,
) -> dict[str, Any]:
    """What the shipped judge of a data set says of images (N, C, H, W), N >= 20, that should show labels (N,).

    path: of pictures, where the set is read from there and not by its name.

    recognised: the share it gives their label; each: one mark per image, "1" where it does. frechet: distance of its
    features to those of the whole test set, with a jackknife standard error and the ten values that this comes from;
    floor: the same for N training images, what perfect samples would score. precision and recall: against N test images.
    Marks and values let two rows made from the same noise be compared in pairs (`intervals`).
    Raises CourseError for fewer images, NaN or infinity, labels of another number, and where the data set or its judge
    is not at hand.
    """
    check_integer("N, the number of images", len(images), 20)
    judge = zoo.judge(data_name, device)
    made = features(judge, images.to(device))
    test, _ = reference(data_name, path, str(device))
    real, floor = _real(data_name, path, str(device), len(made))
    precision, recall = precision_recall(test[: len(made)], made)
    right = recognised(judge, images.to(device), labels.to(device)).tolist()
    left_out = leave_out(lambda rows: frechet_distance(fitted(made[rows]), real), len(made))
    return {
        "recognised": share(sum(right), len(right)),
        "each": "".join("01"[mark] for mark in right),
        "frechet": round(frechet_distance(fitted(made), real), 4),
        "frechet standard error": round(scatter(left_out), 4),
        "frechet without each tenth": [round(value, 4) for value in left_out.tolist()],
        "floor": floor,
        "precision": round(precision, 4),
        "recall": round(recall, 4),
    }


def reconstruction(
    model: Autoencoder, data_name: str, device: torch.device | str = "cpu", n: int = 1000
) -> dict[str, Any]:
    """What an autoencoder keeps of images it has not seen, the test set; decoded from the mean of q(z | x).

    squared error: the mean over pixels in [-1, 1], with its standard error over images. latent std: of all means, and of
    each channel. agreement: the share of reconstructions to which the judge gives the class it gives the image.
    reconstructions: `quality` of the n training images that its floor is of, decoded: what perfect samples in these latents would
    score. The last two only where a judge ships; nothing of pictures at a path, which may have no test set.
    """
    if data_name not in data.SOURCES:
        return {}
    space = LatentSpace(model)
    test = data.load(data_name, "test")
    z = space.encode(test.images)
    decoded = space.decode(z).clamp(-1, 1)
    errors = (decoded - test.images).square().flatten(1).mean(1).double()
    report: dict[str, Any] = {
        "squared error": round(errors.mean().item(), 5),
        "squared error standard error": round((errors.std() / len(errors) ** 0.5).item(), 5),
        "latent std": round(z.std().item(), 4),
        "latent std of channels": [round(v, 4) for v in z.std((0, 2, 3)).tolist()],
    }
    if f"{data_name}-judge" not in zoo.names():
        return report
    judge = zoo.judge(data_name, device)
    read = torch.cat([judge(x.to(device)).argmax(1) for x in test.images.split(500)])
    agreed = count_recognised(judge, decoded.to(device), read)
    train = data.load(data_name)
    rows = in_turn(train)[:n]
    again = space.decode(space.encode(train.images[rows])).clamp(-1, 1)
    return report | {
        "agreement": share(agreed, len(test)),
        "reconstructions": quality(again, train.labels[rows], data_name, device),
    }


@cache
def reference(data_name: str, path: str | None = None, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """The judge's features of the whole test set, and of 5,000 training images, both in a fixed random order.

    The training images come in turn of the classes, as samples of `drawing.draw` do.
    """
    judge = zoo.judge(data_name, device)
    splits = ("test", "train")
    test, train = (
        data.load(path or data_name, one, size=judge.image_size, channels=judge.channels) for one in splits
    )
    orders = ((test, _random_order(len(test))), (train, in_turn(train)))
    seen = [features(judge, part.images[order].to(device)) for part, order in orders]
    return seen[0], seen[1]


def in_turn(train: data.Dataset) -> Tensor:
    """5,000 of its rows, in turn of the classes."""
    mixed, classes = _random_order(len(train)), len(train.classes)
    rows = [mixed[train.labels[mixed] == c][: 5000 // classes] for c in range(classes)]
    return torch.stack(rows, dim=1).flatten()


@cache
def _real(data_name: str, path: str | None, device: str, n: int) -> tuple[Gaussian, float]:
    """The Gaussian of the test set's features, and the distance to it of n training images, the floor."""
    test, train = reference(data_name, path, device)
    real = fitted(test)
    return real, round(frechet_distance(fitted(train[:n]), real), 4)


def _random_order(n: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))


def noisy_accuracy(
    classifier: NoisyClassifier, test: data.Dataset, sigma: float, n: int = 2000
) -> dict[str, Any]:
    """The share of the first n test images (of all, if they are fewer) that the classifier recognises under noise of
    standard deviation sigma."""
    n = min(n, len(test))
    device = classifier.head.weight.device
    noise = Noise(0, per_sample=False)
    right = 0
    for x, y in zip(test.images[:n].split(250), test.labels[:n].split(250), strict=True):
        noisy = x + sigma * noise.like(x)
        with torch.no_grad():
            right += int((classifier(noisy.to(device), torch.tensor(sigma)).argmax(1).cpu() == y).sum())
    return share(right, n)
