"""Label dropout."""

from collections.abc import Iterator

import torch
from torch import Tensor

from .ch06_classifier import number
from .data import Check, Mutant
from .inputs import Draw
from .slips import result_slip, squeezed


def some_labels(d: Draw, classes: int) -> Tensor:
    """A class for each sample: (B,), int64, in 1..classes - 1, so that a 0 stands out."""
    return torch.tensor([d.integer(1, classes - 1) for _ in range(d.B)], device=d.device)


def drop_labels(labels: Tensor, u: Tensor, p: float, no_label: int) -> Tensor:
    return torch.where(u < p, no_label, labels)


def dropout_inputs(d: Draw) -> tuple:
    """Labels, uniform numbers and p. The first number lies below p and the last one above (a single one above)."""
    labels, p = some_labels(d, 8), number(d, 0.3, 0.45)
    u = d.uniform(0, 1, d.B)
    u[0] = p * u[0]
    u[-1] = p + (1 - p) * u[-1]
    return labels, u, p, 8


def edges(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Both ends of p, numbers equal to p and just below it, class 0, and another number of classes than 10."""
    labels = torch.tensor([0, 1, 2, 0, 9, 3], device=d.device)
    u = torch.tensor([0.0, 0.1, 0.25, 0.5, 0.999, 0.123], dtype=d.dtype, device=d.device)
    for p in (0, 0.0, 0.1, 0.125, 0.25, 0.5, 1, 1.0):
        yield f"p = {p}", (labels, u, p, 10)
    yield "one sample, u = p", (labels[:1], u[2:3], 0.25, 10)
    yield "the same p, other numbers", (labels, u.flip(0), 0.25, 10)
    yield "20,000 classes", (labels + 19_990, u, 0.25, 20_001)


DROP_LABELS = Check(
    id="06-drop_labels",
    points=2,
    minutes=5,
    level=1,
    reference=drop_labels,
    inputs=dropout_inputs,
    fixed=edges,
    where='section 4 of this notebook ("Without a classifier: label dropout"): the label becomes no_label where u < p '
    "(Ho & Salimans 2021, algorithm 1).",
    outputs=("labels",),
    mutants=[
        # a mask of something else
        Mutant(
            "a fixed share of the batch dropped, the smallest u: each label is dropped by itself, where u < p.",
            lambda y, u, p, none: torch.where(u.argsort().argsort() < int(p * len(y)), none, y),
        ),
        Mutant(
            "a mask moved by one sample: label i is dropped where u[i] < p.",
            lambda y, u, p, none: torch.where((u < p).roll(1), none, y),
        ),
        Mutant(
            "one label kept though all are to be dropped: at p = 1 no label is left.",
            lambda y, u, p, none: torch.where(
                (u < p) & ~((u < p).all() & (torch.arange(len(u)).to(u) == 0)), none, y
            ),
        ),
        Mutant(
            "two mistakes: the comparison turned round, and 0 for no_label: the label becomes no_label where u < p.",
            lambda y, u, p, none: torch.where(u < p, y, 0 * y),
        ),
        Mutant(
            "u rounded to tenths before it is compared with p: compare u itself.",
            lambda y, u, p, none: torch.where(u.round(decimals=1) < p, none, y),
        ),
        # which labels
        Mutant(
            "labels dropped with probability 1 - p: u < p happens with probability p.",
            lambda y, u, p, none: torch.where(u > p, none, y),
        ),
        Mutant(
            "labels kept where u < p: there they are dropped (are the two branches of torch.where swapped?).",
            lambda y, u, p, none: torch.where(u < p, y, none),
        ),
        Mutant(
            "u < 1 - p: that happens with probability 1 - p.",
            lambda y, u, p, none: torch.where(u < 1 - p, none, y),
        ),
        Mutant(
            "u > 1 - p, which has the right probability, but selects other samples: drop where u < p.",
            lambda y, u, p, none: torch.where(u > 1 - p, none, y),
        ),
        Mutant(
            "u <= p: a number equal to p is not below it, and p = 0 drops no label.",
            lambda y, u, p, none: torch.where(u <= p, none, y),
        ),
        Mutant(
            "u < 0.1 whatever p is: compare with p.",
            lambda y, u, p, none: torch.where(u < 0.1, none, y),
        ),
        Mutant(
            "class 0 never dropped, since a label 0 counts as false: it is a class like the others.",
            lambda y, u, p, none: torch.where((u < p) & (y != 0), none, y),
        ),
        Mutant(
            "one decision for the whole batch, by the first number: each sample has its own u.",
            lambda y, u, p, none: torch.full_like(y, none) if u[0] < p else y,
        ),
        Mutant(
            "one decision for the whole batch, by the mean of u: each sample has its own.",
            lambda y, u, p, none: torch.full_like(y, none) if u.mean() < p else y,
        ),
        Mutant("every label dropped: only where u < p.", lambda y, u, p, none: torch.full_like(y, none)),
        Mutant("no label dropped.", lambda y, u, p, none: y.clone()),
        # by what they are replaced
        Mutant(
            "class 0 as the empty label: 0 is a class, no_label is the extra one.",
            lambda y, u, p, none: torch.where(u < p, 0, y),
        ),
        Mutant(
            "-1 as the empty label: use no_label.",
            lambda y, u, p, none: torch.where(u < p, -1, y),
        ),
        Mutant(
            "10 as the empty label: that is right for ten classes only, use no_label.",
            lambda y, u, p, none: torch.where(u < p, 10, y),
        ),
        Mutant(
            "the largest label + 1 as the empty label: the batch need not hold the last class, use no_label.",
            lambda y, u, p, none: torch.where(u < p, y.max() + 1, y),
        ),
        Mutant(
            "no_label added to the label: put it in the label's place.",
            lambda y, u, p, none: y + none * (u < p),
        ),
        # another result
        Mutant(
            "the dropped samples removed: keep all B labels, and replace those.",
            lambda y, u, p, none: y[u >= p],
        ),
        Mutant(
            "the dropped labels alone: return all B labels, the kept ones too.",
            lambda y, u, p, none: torch.where(u < p, none, y)[u < p],
        ),
        Mutant("the condition itself: return the labels.", lambda y, u, p, none: u < p),
        result_slip(
            "labels as floating-point numbers: an embedding is indexed by integers.",
            drop_labels,
            lambda y: y.float(),
        ),
        squeezed(drop_labels),
    ],
)
