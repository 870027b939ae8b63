"""Does the text help? The share of samples that are what their caption says: their class as the judge reads it, the rest as measured."""

from collections import Counter
from typing import Any

import torch
from torch import Tensor

from ..captions import Grammar
from ..guidance import Scale
from ..nets.clip import ImageTextModel
from ..noise import Noise
from ..samplers import edm
from ..schedules import karras
from ..texted import Texted
from . import data, zoo
from .captioned import GRAMMARS, captions, grammar_of, level
from .drawing import draw_texts
from .metrics import recognised
from .quality import share

Marks = dict[str, Tensor]
"""Which images meet their caption, (N,) booleans: in their "class", in each attribute, and in "all" of these."""


def met(data_name: str, images: Tensor, numbers: Tensor) -> Marks:
    """What of each image (N, C, H, W) in [-1, 1] is as its composition's number (N,) says.

    data_name: a set with captions, whose judge reads the class. Raises CourseError where none ships, and for NaN.
    """
    grammar = grammar_of(data_name)
    judge = zoo.judge(GRAMMARS[data_name][0], images.device)
    wanted = [grammar.composition(i) for i in numbers.tolist()]
    nouns = torch.tensor([one.noun for one in wanted], device=images.device)
    marks = {"class": recognised(judge, images, nouns)}
    for k, attribute in enumerate(grammar.attributes):
        levels = torch.tensor([one.levels[k] for one in wanted], device=images.device)
        marks[attribute] = level(attribute, images) == levels
    return {**marks, "all": torch.stack(list(marks.values())).all(0)}


def asked(grammar: Grammar, held_out: bool, n: int) -> Tensor:
    """n numbers of compositions, in turn of those that training never saw, or of the others."""
    numbers = [i for i in range(len(grammar)) if grammar.held_out(i) == held_out]
    return torch.tensor(numbers).repeat(-(-n // len(numbers)))[:n]


def drawn(
    model: Texted,
    data_name: str,
    numbers: Tensor,
    w: Scale,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Tensor:
    """An image of each composition (N,), (N, C, H, W), by EDM (Heun) in 20 steps. A composition that comes again is told in the
    next language."""
    grammar, times = grammar_of(data_name), Counter[int]()
    names, texts = list(grammar.languages), []
    for number in numbers.tolist():
        language = names[(number + times[number]) % len(names)]
        texts.append(grammar.write(grammar.composition(number), language))
        times[number] += 1
    return draw_texts(model, texts, w, karras(20), edm(), seed, device)


def text_quality(
    model: Texted,
    data_name: str,
    device: torch.device | str = "cpu",
    n: int = 400,
    scales: tuple[float, ...] = (1.0, 3.0),
) -> dict[str, Any]:
    """Shares with their intervals, of n samples of compositions seen in training, and of n of those that were held out.

    "without text": the same marks for samples from the same noise that were told nothing, against the captions of those seen.
    """
    grammar = grammar_of(data_name)
    groups = {"seen": asked(grammar, False, n), "held out": asked(grammar, True, n)}
    report: dict[str, Any] = {}
    for w in scales:
        made = {group: drawn(model, data_name, numbers, w, device) for group, numbers in groups.items()}
        report[f"guidance {w:g}"] = {
            group: shares(met(data_name, images, groups[group])) for group, images in made.items()
        }
    blank = draw_texts(model, [""] * n, 1.0, karras(20), edm(), device=device)
    report["without text"] = shares(met(data_name, blank, groups["seen"]))
    report["how"] = (
        f"{n} samples of compositions in training and {n} of those held out, whole captions, in the languages by turns, EDM (Heun) sampler, "
        "20 steps = 39 evaluations; class by the shipped judge, the others measured"
    )
    return report


def shares(marks: Marks) -> dict[str, Any]:
    """Each mark's share with its 95 % Wilson interval."""
    return {name: share(int(one.sum()), len(one)) for name, one in marks.items()}


@torch.no_grad()
def caption_accuracy(
    model: ImageTextModel,
    data_name: str,
    sigmas: tuple[float, ...] = (0.1, 0.5, 1.0, 2.0, 5.0),
    n: int = 2000,
) -> dict[str, Any]:
    """How often, of all whole captions in English, the nearest to a noisy test image has its class, and is its own.

    Over the first n test images (of all, if they are fewer); held-out compositions are among them.
    """
    grammar, test = grammar_of(data_name), data.load(data_name, "test")
    device = model.log_scale.device
    images, labels = test.images[:n], test.labels[:n]
    texts = torch.nn.functional.normalize(model.embed(captions(grammar)), dim=1)
    report = {}
    for sigma in sigmas:
        noise = Noise(0, per_sample=False)
        noisy = [(x + sigma * noise.like(x)).to(device) for x in images.split(250)]
        found = torch.cat([(model.image(x, torch.tensor(sigma)) @ texts.T).argmax(1).cpu() for x in noisy])
        report[f"test accuracy at sigma {sigma:g}"] = {
            "class": share(int((found // grammar.cells == labels // grammar.cells).sum()), len(labels)),
            "all": share(int((found == labels).sum()), len(labels)),
        }
    return report
