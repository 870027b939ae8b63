"""A design: which tokens of a short chain are drawn together, in three steps, so that they know as much of each other as they can."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise

import torch
from torch import Tensor

from ...errors import CourseError
from ...markov_chain import EXAMPLE
from .data import Check, Mutant, Variant

PLACES = EXAMPLE.length
STEPS = 3


def decoding_plan(places: int) -> Tensor:
    return torch.tensor(PUBLIC, dtype=torch.float64)


PUBLIC = [3, 2, 1, 3, 2, 3, 1, 2]  # the best of all


@cache
def entropies() -> Tensor:
    """The entropy of the places whose bits are set in each number 0..2^L - 1: (2^L,)."""
    p = EXAMPLE.joint.reshape((EXAMPLE.K,) * PLACES)
    found = []
    for shown in range(2**PLACES):
        hidden = [i for i in range(PLACES) if not shown >> i & 1]
        q = p.sum(hidden) if hidden else p
        found.append(-torch.xlogy(q, q).sum())
    return torch.stack(found)


def price(plan: Tensor, places: int, steps: int = STEPS) -> float:
    """Nats over the entropy: the KL of the chain's law from that of the plan's samples. Raises CourseError for what is no plan."""
    if not bool((plan == plan.round()).all()) or not bool(((plan >= 1) & (plan <= steps)).all()):
        odd = plan[(plan != plan.round()) | (plan < 1) | (plan > steps)][0]
        raise CourseError(
            f"plan: got a step {odd.item():g}, want whole numbers from 1 to {steps}{taken(plan)}"
        )
    H, shown, total = entropies(), 0, 0.0
    for step in range(1, steps + 1):
        together = [i for i in range(places) if int(plan[i]) == step]
        total += sum(float(H[shown | 1 << i] - H[shown]) for i in together)
        shown |= sum(1 << i for i in together)
    return total - EXAMPLE.entropy


def taken(plan: Tensor) -> str:
    """What the steps of no plan may be taken for."""
    numbers = sorted(plan.tolist())
    if numbers == list(range(1, PLACES + 1)):
        return "; each place stands there once: is that the order in which they are drawn? Entry i is the step in which token i is drawn"
    return "; the first step is 1, not 0" if numbers[0] == 0 else ""


def beside(plan: Tensor, places: int) -> str:
    """Which neighbours are drawn in one step, in words; "" where none are."""
    pairs = [f"{i + 1} and {i + 2}" for i in range(places - 1) if int(plan[i]) == int(plan[i + 1])]
    if not pairs:
        return ""
    more = len(pairs) - 3
    many = f", and {more} {'pair' if more == 1 else 'pairs'} more" if more > 0 else ""
    return f"Neighbours depend on each other most, and yours are drawn together at the places {', '.join(pairs[:3])}{many}."


def apart(plan: Tensor, places: int) -> str:
    """What keeps a plan from more points: neighbours in one step, or places drawn together with nothing shown between them."""
    if len(plan.unique()) == 1:
        return (
            "All tokens are drawn in one step, and none knows of another: no plan costs more. A search that ends here looks for the largest price, "
            "or takes the entropies of tokens alone: it is H(x_i | shown) = H(shown and i) - H(shown) that is added up, for what earlier steps have shown."
        )
    backwards = plan.max() + 1 - plan
    if price(backwards, places) < min(price(plan, places) / 2, DECODING_PLAN.marks[0][1]):
        return "With its steps in the reverse order it would cost less than half: the first step is 1, and tokens between others are cheap after these."
    if said := beside(plan, places):
        return said
    for step in range(1, STEPS + 1):
        together = [i for i in range(places) if int(plan[i]) == step]
        for a, b in pairwise(together):
            if b - a < 4 and not any(int(plan[i]) < step for i in range(a + 1, b)):
                return f"The places {a + 1} and {b + 1} are drawn together in step {step}, and nothing between them has been shown before: through what lies there they depend on each other."
    return ""


def version(steps: int, plan: list[int], marks: tuple[tuple[int, float], ...]) -> Variant:
    """Another number of steps: the public plan breaks the bound, or is dear."""

    def decoding_plan(places: int) -> Tensor:
        return torch.tensor(plan, dtype=torch.float64)

    return Variant(
        {
            "in at most three steps": "in at most two steps",
            "1, 2 or 3": "1 or 2",
            "cost more than 0.5: a good plan uses all three.": "cost more than 0.5: there are better ones.",
        },
        {"score": partial(price, steps=steps), "reference": decoding_plan, "marks": marks},
    )


def design(hint: str, plan: Sequence[int] | Callable[[int], Sequence[float]]) -> Mutant:
    return Mutant(hint, plan if callable(plan) else lambda places: list(plan))


DECODING_PLAN = Check(
    id="11-decoding_plan",
    points=5,
    minutes=20,
    level=3,
    reference=decoding_plan,
    inputs=lambda d: (PLACES,),
    where='section 5 of this notebook ("The price of parallel steps"): tokens of one step do not know of each other, so a step pays the sum of '
    "H(x_i | shown) over its tokens in the place of their joint entropy.",
    outputs=("plan",),
    entry="the step in which its token is drawn",
    score=price,
    scored="the price in nats over the entropy",
    missed=apart,
    digits=3,
    marks=((2, 0.5), (4, 0.15), (5, 0.04)),
    variants=(Variant(), version(2, [2, 1, 2, 2, 1, 2, 1, 2], ((2, 0.8), (4, 0.5), (5, 0.38)))),
    mutants=[
        design("all in one step: then no token knows of another.", [1] * 8),
        design("left to right, three at a time: neighbours depend on each other most.", [1, 1, 1, 2, 2, 2, 3, 3]),
        design("right to left, three at a time: neighbours depend on each other most.", [3, 3, 2, 2, 2, 1, 1, 1]),
        design("left to right, two at a time: that takes four steps.", [1, 1, 2, 2, 3, 3, 4, 4]),
        design("one token a step: that takes eight steps.", range(1, 9)),
        design("the halves one after the other: each half pays for all its neighbours.", [1, 1, 1, 1, 2, 2, 2, 2]),
        design("the steps counted from 0: the first is step 1.", [2, 1, 0, 2, 1, 2, 0, 1]),
        design("the places in the order of decoding: entry i is the step in which place i is drawn.", [3, 7, 2, 5, 8, 1, 4, 6]),
        design("the middle last: the ends are drawn with their neighbours.", [1, 1, 2, 3, 3, 2, 1, 1]),
        design("a step for the first and the last token alone, and the rest at once.", [1, 3, 3, 3, 3, 3, 3, 2]),
        design("places in the place of steps: each entry is the number of a step.", [1, 4, 7, 2, 5, 8, 3, 6]),
    ],
)  # fmt: skip
