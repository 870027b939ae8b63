"""Chapter 02, the counted chain: the three kinds of term, wrong."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor

from .ch01_slips import after
from .ch02_paths import (
    Both,
    all_turned,
    bound,
    each_for_itself,
    first,
    kl,
    last,
    law,
    marginals,
    middle,
    of_steps,
    of_tables,
    of_terms,
    posterior,
    whole,
)
from .data import Mutant


def of_last(one: Both, change: Callable[[Tensor], Tensor]) -> Both:
    return one[0], change(one[1])


def line_4(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Both:
    """The three summands of line 4, whose sum is the same."""
    laws = marginals(q, x0)
    steps = sum((laws[t - 1] @ (q[t] * (q[t] / p[t].T).log()).sum(1) for t in (1, 2)), 0 * q[0, 0, 0])
    ends = -(laws[2] @ prior.log()), steps, q[0, x0] @ (q[0, x0] / p[0, :, x0]).log()
    return whole(q, p, prior, x0), torch.stack(ends)


def divided(pair: Tensor, by: Tensor) -> Tensor:
    """q(x_{t-1} | x_t, x_0) from a joint [x_{t-1}, x_t] and q(x_t | x_0)."""
    return (pair / by).T


def two_ways(hint: str, pair: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Iterator[Mutant]:
    """Another joint pair(q(x_{t-1} | x_0), q(x_t | x_{t-1}), q(x_t | x_0)): with a sum made 1, and divided by q(x_t | x_0)."""
    yield of_steps(hint, lambda before, step, after, p: after @ kl(law(pair(before, step, after).T), p))
    yield of_steps(
        f"{hint} And a posterior must add up to 1.",
        lambda before, step, after, p: after @ kl(divided(pair(before, step, after), after), p),
    )


def of_laws(hint: str, laws: Callable[[Tensor, int], list[Tensor]]) -> Iterator[Mutant]:
    """Other laws(q, x0) of x_1, x_2, x_3 in all but L_0: with posteriors made to add up to 1, and divided by the law."""

    def by(back: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Both]:
        def function(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Both:
            found, (one, right) = laws(q, x0), bound(q, p, prior, x0)
            steps = [found[t] @ kl(back(found[t - 1][:, None] * q[t], found[t]), p[t]) for t in (1, 2)]
            return one, torch.stack([kl(found[2], prior), steps[0] + steps[1], right[2]])

        return function

    yield Mutant(hint, by(lambda pair, after: law(pair.T)))
    yield Mutant(f"{hint} And a posterior must add up to 1.", by(divided))


def by_columns(q: Tensor, x0: int) -> list[Tensor]:
    laws = [q[0, x0]]
    for step in q[1:]:
        laws.append(step @ laws[-1])
    return laws


LAWS: dict[str, Callable[[Tensor, int], list[Tensor]]] = {
    "q(x_t | x_0) made with q[0] in all steps: the step to x_t has q[t - 1].": lambda q, x0: marginals(q[[0, 0, 0]], x0),
    "q(x_t | x_0) made with q[t - 2] in the step to x_t: it has q[t - 1].": lambda q, x0: marginals(q[[0, 0, 1]], x0),
    "q(x_t | x_0) made with q[2] in the steps to x_2 and x_3: the step to x_t has q[t - 1].": lambda q, x0: marginals(q[[0, 2, 2]], x0),
    "q(x_t | x_0) made with q[1] in the steps to x_2 and x_3: the step to x_t has q[t - 1].": lambda q, x0: marginals(q[[0, 1, 1]], x0),
    "q[t - 1, x0] for q(x_t | x_0): that is one step from x_0; q(x_t | x_0) goes through all tables up to q[t - 1].": lambda q, x0: list(q[:, x0]),
    "q(x_t | x_0) as q[t - 1] @ law: the row of q is x_{t-1}, so it is law @ q[t - 1].": by_columns,
    "q(x_t | x_0) as q[t - 1] @ law, made to add up to 1: the row of q is x_{t-1}, so it is law @ q[t - 1].": lambda q, x0: [law(v) for v in by_columns(q, x0)],
}  # fmt: skip
POSTERIOR_TABLES = {"q[t - 2]": (0, 1), "q[0] in both steps": (0, 0), "q[1] in both steps": (1, 1), "q[2] in both steps": (2, 2), "q[1] and q[2] swapped": (2, 1)}  # fmt: skip
MODEL_TABLES = {"p[t - 2]": (0, 1), "p[1] in both steps": (1, 1), "p[2] in both steps": (2, 2), "p[1] and p[2] swapped": (2, 1)}  # fmt: skip
TERMS = [
    Mutant(
        "the summands of line 4, with q(x_t | x_{t-1}): they have the same sum, but a term of line 9 has q(x_{t-1} | x_t, x_0) and is a KL.",
        line_4,
    ),
    of_terms("an L_T without the prior: it is a KL to p(x_3).", 0, lambda q, p, prior, x0: last(q, p, torch.ones_like(prior), x0)),
    of_terms(
        "L_T the other way round: it is KL(q(x_3 | x_0) || p(x_3)).", 0, lambda q, p, prior, x0: kl(prior, marginals(q, x0)[2])
    ),
    of_terms(
        "an L_T with the cross-entropy -E log p(x_3) alone: it is a KL, so log q(x_3 | x_0) belongs to it.",
        0,
        lambda q, p, prior, x0: -(marginals(q, x0)[2] @ prior.log()),
    ),
    of_terms(
        "an L_T with one step from x_0, q[2, x0]: q(x_3 | x_0) goes through all three.", 0, lambda q, p, prior, x0: kl(q[2, x0], prior)
    ),
    of_terms("an L_T with a uniform law for the prior: p(x_3) is given.", 0, lambda q, p, prior, x0: kl(marginals(q, x0)[2], torch.full_like(prior, 1 / 3))),
    of_terms("L_T with q(x_2 | x_0): it has q(x_3 | x_0).", 0, lambda q, p, prior, x0: kl(marginals(q, x0)[1], prior)),
    of_terms("L_T with q(x_1 | x_0): it has q(x_3 | x_0).", 0, lambda q, p, prior, x0: kl(q[0, x0], prior)),
    of_steps(
        "KLs the other way round: L_{t-1} is KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)).",
        lambda before, step, after, p: after @ kl(p, posterior(before, step)),
    ),
    Mutant("all KLs the other way round: a KL here is of q to p, and averages over q.", all_turned),
    of_steps(
        "q(x_{t-1} | x_0) in the place of the posterior q(x_{t-1} | x_t, x_0): it must know x_t, too.",
        lambda before, step, after, p: after @ kl(before, p),
    ),
    of_steps(
        "q(x_t | x_{t-1}) in the place of the posterior q(x_{t-1} | x_t, x_0): both parts of a KL are laws of x_{t-1}.",
        lambda before, step, after, p: after @ kl(step, p),
    ),
    of_steps(
        "KLs of q(x_t | x_{t-1}), weighted with q(x_{t-1} | x_0): a term has the posterior q(x_{t-1} | x_t, x_0), averaged over x_t.",
        lambda before, step, after, p: before @ kl(step, p),
    ),
    of_steps(
        "Bayes' rule without q(x_{t-1} | x_0): the posterior that knows x_0 is q(x_t | x_{t-1}) q(x_{t-1} | x_0) / q(x_t | x_0).",
        lambda before, step, after, p: after @ kl(law(step.T), p),
    ),
    of_steps(
        "a posterior that is not divided by q(x_t | x_0).",
        lambda before, step, after, p: after @ kl((before[:, None] * step).T, p),
    ),
    of_steps(
        "a posterior divided by q(x_{t-1} | x_0) at x_t: it is divided by q(x_t | x_0).",
        lambda before, step, after, p: after @ kl(divided(before[:, None] * step, before), p),
    ),
    of_terms(
        "an L_0 weighted with the prior: x_1 has the probability q(x_1 | x_0).", 2, lambda q, p, prior, x0: -(prior @ p[0, :, x0].log())
    ),
    *two_ways(
        "Bayes' rule with q(x_t | x_0) above: there stands q(x_{t-1} | x_0), and q(x_t | x_0) is what it is divided by.",
        lambda before, step, after: after[:, None] * step,
    ),
    *two_ways(
        "Bayes' rule with a row of q[t - 1] for its column: for a given x_t it has q(x_t | x_{t-1}) at every x_{t-1}, q[t - 1, :, x_t].",
        lambda before, step, after: before[:, None] * step.T,
    ),
    *(
        Mutant(f"posteriors q(x_{{t-1}} | x_t, x_0) made with {words}: that of step t has q[t - 1].", of_tables(back=places))
        for words, places in POSTERIOR_TABLES.items()
    ),
    *(
        Mutant(f"KLs of the posteriors to {words}: the model's row is p[t - 1, x_t].", of_tables(model=places))
        for words, places in MODEL_TABLES.items()
    ),
    of_steps(
        "KLs to the columns of p[t - 1]: the model's law of x_{t-1} is the row p[t - 1, x_t].",
        lambda before, step, after, p: after @ kl(posterior(before, step), p.T),
    ),
    *(mutant for hint, laws in LAWS.items() for mutant in of_laws(hint, laws)),
    of_steps(
        "KLs averaged over all x_t alike: x_t has the probability q(x_t | x_0).",
        lambda before, step, after, p: kl(posterior(before, step), p).mean(),
    ),
    of_steps(
        "KLs added over all x_t without weights: x_t has the probability q(x_t | x_0).",
        lambda before, step, after, p: kl(posterior(before, step), p).sum(),
    ),
    of_steps(
        "KLs weighted with q(x_{t-1} | x_0): they are averaged over x_t.",
        lambda before, step, after, p: before @ kl(posterior(before, step), p),
    ),
    of_terms("a sum of L_{t-1} without that of t = 3: t is 2 and 3.", 1, lambda q, p, prior, x0: (
        marginals(q, x0)[1] @ kl(posterior(q[0, x0], q[1]), p[1])
    )),
    of_terms("a sum of L_{t-1} without that of t = 2: t is 2 and 3.", 1, lambda q, p, prior, x0: (
        marginals(q, x0)[2] @ kl(posterior(marginals(q, x0)[1], q[2]), p[2])
    )),
    of_terms("the mean of the two L_{t-1}: they are added.", 1, lambda *args: middle(*args) / 2),
    of_terms(
        "a sum of L_{t-1} that has L_0 in it, too: t = 1 is the decoder's, a term of its own.", 1, lambda *args: middle(*args) + first(*args)
    ),
    of_terms(
        "an L_0 that is the logarithm of a mean: it is the mean over x_1 of -log p(x_0 | x_1).",
        2,
        lambda q, p, prior, x0: -(q[0, x0] @ p[0, :, x0]).log(),
    ),
    of_terms("an L_0 without its minus.", 2, lambda *args: -first(*args)),
    of_terms(
        "an L_0 averaged over all x_1 alike: x_1 has the probability q(x_1 | x_0).", 2, lambda q, p, prior, x0: -p[0, :, x0].log().mean()
    ),
    of_terms("an L_0 added over all x_1 without weights: x_1 has the probability q(x_1 | x_0).", 2, lambda q, p, prior, x0: -p[0, :, x0].log().sum()),
    of_terms(
        "an L_0 that is a KL with q(x_1 | x_0): it is -log p(x_0 | x_1), averaged.",
        2,
        lambda q, p, prior, x0: kl(q[0, x0], p[0, :, x0]),
    ),
    of_terms(
        "an L_0 that reads p[0, x0]: the row is the state that is given, so p(x_0 | x_1) is p[0, x_1, x0].",
        2,
        lambda q, p, prior, x0: -(q[0, x0] @ p[0, x0].log()),
    ),
    *(
        of_terms(f"an L_0 with p[{k}]: the step from x_1 to x_0 is p[0].", 2, lambda q, p, prior, x0, k=k: -(q[0, x0] @ p[k, :, x0].log()))
        for k in (1, 2)
    ),
    after("the terms from L_0 to L_T: return L_T, the sum of the L_{t-1}, L_0.", bound, lambda v: of_last(v, lambda terms: terms.flip(0))),
    after("the sum of the terms: return the three of them.", bound, lambda v: of_last(v, torch.sum)),
    *(
        Mutant(f"each L_{{t-1}} for itself, {words}: return three numbers, L_T, the sum of the L_{{t-1}}, L_0.", each_for_itself(times))
        for words, times in (("downwards", (2, 1)), ("upwards", (1, 2)))
    ),
]  # fmt: skip
# Two terms wrong at once, by the beginnings of their hints.
L_T = (
    "an L_T without the prior",
    "L_T the other way",
    "an L_T with the cross-entropy",
    "an L_T with a uniform",
)
STEPS = (
    "KLs averaged over all",
    "KLs added over all",
    "a posterior that is not divided",
    "the mean of the two",
)
L_0 = (
    "an L_0 that is the logarithm",
    "an L_0 without its minus",
    "an L_0 averaged over all",
    "an L_0 that reads",
)


def at_once(one: Mutant, other: Mutant) -> Mutant:
    """Each differs from the right terms in its own place."""

    def function(*args: Any) -> Both:
        whole, terms = bound(*args)
        return whole, terms + (one.function(*args)[1] - terms) + (other.function(*args)[1] - terms)

    return Mutant(f"two mistakes at once: {one.hint} And {other.hint}", function)


def starting(words: tuple[str, ...]) -> list[Mutant]:
    return [mutant for mutant in TERMS if mutant.hint.startswith(words)]


TWO = [
    at_once(one, other)
    for places in ((L_T, STEPS), (L_T, L_0), (STEPS, L_0))
    for one, other in product(*map(starting, places))
]
