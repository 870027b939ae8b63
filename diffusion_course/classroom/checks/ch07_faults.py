"""Find out: which of eight faults have the five samplers of a line-up? The score is the number that are named right."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...errors import CourseError
from .ch07_ddim import fresh_std, kept
from .ch07_walks import Part, Step, cut, first_prediction, last_noise, swap
from .data import Check, Mutant, Variant

LETTERS = "ABCDE"


def short_of_noise(q: Part) -> Tensor:
    """A step with the s of t -> t - 1. Near T of the cosine schedule that is more than there is room for."""
    s = fresh_std(q.ab[q.t - 1], kept(q.t, q.t - 1, q.ab)[1], q.eta)
    return cut(lambda q, eps, b, _: (1 - b - s**2).clamp(min=0).sqrt() * eps + s * q.z)(q)


# The chapter's text lists them in these words and this order.
FAULTS: dict[str, Step] = {
    "The network is told the time that the step goes to (in the last step, 1), and not that of the state it is shown.": swap(
        asked=lambda q: max(q.p, 1)  # a network knows no time 0
    ),
    "The last step is left out: the state at the last of the times is returned for the image.": lambda q: (
        swap()(q) if q.p else q.x
    ),
    "The amount of fresh noise is that of the step from t to t - 1, however long the step is; in the last step it is 0.": lambda q: (
        short_of_noise(q) if q.p else swap()(q)
    ),
    "The old noise does not make room for the fresh noise: no s^2 is subtracted under the root.": cut(
        lambda q, eps, b, s: (1 - b).sqrt() * eps + s * q.z
    ),
    "Fresh noise is added in the last step too.": last_noise,
    "No fresh noise is added, whatever eta is.": swap(eta=lambda q: 0.0),
    "One draw is the fresh noise of every step.": swap(z=lambda q: q.noise[0]),
    "The network is asked once, in the first step, and its prediction is used in all.": swap(
        eps=first_prediction
    ),
}
OWN = "amber"
# Which faults a picture does not tell apart: too much noise at the end, other noise on the way, another time or state.
TWINS = {1: 8, 8: 1, 2: 5, 5: 2, 3: 6, 6: 7, 7: 4, 4: 3}


def faults_of(line_up: str) -> list[int]:
    """The numbers 1..8 of the faults of A to E."""
    seed = int.from_bytes(hashlib.sha256(f"line-up {line_up}".encode()).digest()[:4], "big")
    order = torch.randperm(len(FAULTS), generator=torch.Generator().manual_seed(seed))
    return (order[: len(LETTERS)] + 1).tolist()


def name_faults() -> Tensor:
    return torch.tensor(faults_of(OWN))


def named_right(named: Tensor, line_up: str = OWN) -> float:
    """How many are right. Raises CourseError for numbers that are no faults, or that are there twice."""
    numbers = named.tolist()
    for letter, number in zip(LETTERS, numbers, strict=True):
        if number not in range(1, len(FAULTS) + 1):
            raise CourseError(
                f"sampler {letter} is said to have fault {number:g}, want a number of the list, 1 to 8"
            )
    if len(set(numbers)) < len(numbers):
        raise CourseError(
            f"got {', '.join(f'{n:g}' for n in numbers)}, want five different faults: no two samplers share one"
        )
    return float((named == torch.tensor(faults_of(line_up))).sum())


# Kinds of experiments, and the faults that they tell from the others.
EXPERIMENTS = {
    "watch the model, one that writes down what it is told, call by call": (1, 8),
    "compare states, those of one run with one another, and those of two runs that differ in eta or in one draw alone": (
        2,
        6,
        7,
    ),
    "switch off all but one part, by x_T = 0 and a model that predicts 0, or by no noise and a model that predicts 1": (
        3,
        4,
        5,
    ),
}


def misnamed(named: Tensor, line_up: str = OWN) -> str:
    """The kind of experiment that speaks against the first wrong name; against which, it shows."""
    pairs = zip(named.tolist(), faults_of(line_up), strict=True)
    wrong = next((int(n) for n, fault in pairs if n != fault), None)
    told = (words for words, faults in EXPERIMENTS.items() if wrong in faults)
    return next((f"An experiment speaks against one of your names: {words}." for words in told), "")


def version(line_up: str) -> Variant:
    """Another line-up: other faults, in another order."""

    def name_faults() -> Tensor:
        return torch.tensor(faults_of(line_up))

    scored = {"score": partial(named_right, line_up=line_up), "missed": partial(misnamed, line_up=line_up)}
    changes: dict[str, Any] = scored | {"reference": name_faults}
    return Variant({f'line_up("{OWN}")': f'line_up("{line_up}")'}, changes | {"mutants": mistakes(line_up)})


def mistakes(line_up: str) -> list[Mutant]:
    right = faults_of(line_up)
    absent = [n for n in range(1, len(FAULTS) + 1) if n not in right]

    def says(hint: str, value: Callable[[], object]) -> Mutant:
        return Mutant(hint, value)

    def told(hint: str, numbers: list[int]) -> Mutant:
        return Mutant(hint, lambda: torch.tensor(numbers))

    return [
        told("faults that are counted from 0: the list begins with 1.", [n - 1 for n in right]),
        told("faults that are counted from the end of the list: the first is 1.", [9 - n for n in right]),
        told("the samplers from E to A: they come in the order A to E.", right[::-1]),
        told(
            "each fault given to the next sampler: the first number is that of A.", [right[-1], *right[:-1]]
        ),
        told(
            "each fault given to the sampler before: the first number is that of A.", [*right[1:], right[0]]
        ),
        told("all the faults that no sampler has: name those that they have.", [*absent, *right[:2]]),
        told(
            "each fault taken for the one that looks most like it: look for an input of your own on which the two part.",
            [TWINS[n] for n in right],
        ),
        told("one fault for all: no two samplers share one.", [right[0]] * 5),
        told("the letters counted, 1 to 5: the numbers are those of the faults.", [1, 2, 3, 4, 5]),
        told(
            "a number for each fault: give one for each sampler, A to E.",
            [right.index(n) + 1 if n in right else 0 for n in range(1, 9)],
        ),
        told(
            "the samplers in the order of their faults: give the faults in the order of the samplers, A to E.",
            [right.index(n) + 1 for n in sorted(right)],
        ),
        says(
            "yes and no for each fault of each sampler: give one number for each sampler.",
            lambda: torch.eye(8, dtype=torch.int64)[torch.tensor(right) - 1],
        ),
        says(
            "words or quoted numbers: give five numbers, without quotes.",
            lambda: [list(FAULTS)[n - 1] for n in right],
        ),
        says(
            "a dictionary: give the five numbers in the order A to E.",
            lambda: dict(zip(LETTERS, right, strict=True)),
        ),
        says("a text: give five numbers, as a list or a tensor.", lambda: " ".join(map(str, right))),
        says("the first sampler's fault alone: give five numbers.", lambda: right[0]),
    ]


NAME_FAULTS = Check(
    id="07-name_faults",
    points=5,
    minutes=25,
    level=2,
    reference=name_faults,
    inputs=lambda d: (),
    where='section 4 of this notebook ("The step"): a fault changes one part of the step or of its loop. '
    "Choose x_T, the model, the noise, and eta so that only that part is left.",
    outputs=("the list of faults",),
    score=named_right,
    missed=misnamed,
    coarse=True,
    scored="the number of samplers whose fault is named right",
    lower=False,
    marks=((2, 3), (3, 4), (5, 5)),
    variants=(Variant(), *map(version, ("cobalt", "olive", "ruby", "lilac", "teal"))),
    mutants=mistakes(OWN),
)  # fmt: skip
