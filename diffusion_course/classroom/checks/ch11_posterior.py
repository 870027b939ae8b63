"""The posterior of a chain over K states, from its one-step matrices."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ... import discrete, schedules
from ...noise import Noise
from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, result_slip, squeezed


def d3pm_posterior(x_t: Tensor, x0: Tensor, t: int, Q: Tensor) -> Tensor:
    return built(x_t, x0, t, Q)


def product(Q: Tensor, t: int) -> Tensor:
    """Q_1 Q_2 ... Q_t; the identity for t = 0."""
    result = torch.eye(Q.shape[-1]).to(Q)
    for step in Q[:t]:
        result = result @ step
    return result


def column_of(Q: Tensor, t: int, x_t: Tensor) -> Tensor:
    """q(x_t | x_{t-1} = k), for each k."""
    return Q[t - 1].mT[x_t]


def row_of(Q: Tensor, t: int, x0: Tensor) -> Tensor:
    """q(x_{t-1} = k | x_0), for each k."""
    return product(Q, t - 1)[x0]


def normalised(joint: Tensor) -> Tensor:
    return joint / joint.sum(-1, keepdim=True)


def built(
    x_t: Tensor,
    x0: Tensor,
    t: int,
    Q: Tensor,
    step: Callable = column_of,
    before: Callable = row_of,
    law: Callable = normalised,
) -> Tensor:
    """The posterior in parts. step: the factor of x_t; before: the factor of x_0; law: what is made of their product."""
    return law(step(Q, t, x_t) * before(Q, t, x0))


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, partial(built, **parts))


def with_product(hint: str, of: Callable) -> Mutant:
    """A mutant with its own Q-bar_{t-1} = of(Q, t)."""
    return slip(hint, before=lambda Q, t, x0: of(Q, t)[x0])


def power(Q: Tensor, n: int) -> Tensor:
    return torch.linalg.matrix_power(Q, n)


def matrices(d: Draw, T: int, K: int) -> Tensor:
    """(T, K, K): no two alike, not symmetric, rows that sum to 1."""
    rows = d.uniform(0.05, 1, T, K, K)
    return rows / rows.sum(-1, keepdim=True)


def inputs(d: Draw) -> tuple:
    K = d.size()
    return d.tokens(K, d.B, *d.event), d.tokens(K, d.B, *d.event), d.step(), matrices(d, d.T, K)


def chains(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The chapter's three chains, at both ends and inside, in one dimension and two, and a long chain."""
    T, K = 12, 6
    known = {
        "uniform chain": discrete.uniform(K, discrete.cosine_betas(T)),
        "absorbing chain": discrete.absorbing(K, discrete.absorbing_betas(T), mask=K - 1),
        "Gaussian chain": discrete.gaussian(K, schedules.linear(T, 0.02, 0.4)),
        "slow Gaussian chain": discrete.gaussian(K, schedules.linear(T)),
    }
    for name, chain in known.items():
        Q = chain.Q.to(d.device, d.dtype)
        for t in (1, 2, 3, T // 2, T - 1, T):
            x0 = d.tokens(K - 1, 5, 7)
            yield f"{name}, t = {t}", (chain.diffuse(x0.cpu(), t, Noise(t)).to(d.device), x0, t, Q)
    Q = matrices(d, 5, 3)
    for t in range(1, 6):
        yield f"no chain of the chapter, t = {t}", (d.tokens(3, 2, 3, 4), d.tokens(3, 2, 3, 4), t, Q)
    yield "one step only", (d.tokens(3, 4, 2), d.tokens(3, 4, 2), 1, matrices(d, 1, 3))
    yield "two states", (d.tokens(2, 6, 3), d.tokens(2, 6, 3), 3, matrices(d, 4, 2))
    long = discrete.uniform(3, discrete.cosine_betas(1000))
    for t in (1000, 999, 11):
        yield f"1000 steps, t = {t}", (d.tokens(3, 4, 5), d.tokens(3, 4, 5), t, long.Q.to(d.device, d.dtype))


STEPS = [
    slip("Q_t in the place of its transpose, the row of x_t: q(x_t | x_{t-1} = k) is the column Q_t[:, x_t].", step=lambda Q, t, x: Q[t - 1][x]),
    slip("Q_{t+1} in the place of Q_t, an index that is not reduced by 1: Q_t is Q[t - 1].", step=lambda Q, t, x: Q[t].mT[x]),
    slip("Q_{t+1} in the place of Q_t, with the last index held: Q_t is Q[t - 1].", step=lambda Q, t, x: Q[min(t, len(Q) - 1)].mT[x]),
    slip("Q_{t-1} in the place of Q_t, Q[t - 2]: Q_t is Q[t - 1].", step=lambda Q, t, x: Q[t - 2].mT[x]),
    slip("Q_1 for every step: Q_t is Q[t - 1].", step=lambda Q, t, x: Q[0].mT[x]),
    slip("Q-bar_t in the place of Q_t: the factor of x_t is one step, Q_t[:, x_t].", step=lambda Q, t, x: product(Q, t).mT[x]),
    slip("Q-bar_{t-1} in the place of Q_t: the factor of x_t is one step, Q_t[:, x_t].", step=lambda Q, t, x: product(Q, t - 1).mT[x]),
    slip("no factor for x_t: that is q(x_{t-1} | x_0); it is multiplied by Q_t[:, x_t].", step=lambda Q, t, x: torch.ones_like(Q[0])[x]),
]  # fmt: skip
BEFORE = [
    with_product("Q-bar_t in the place of Q-bar_{t-1}, one matrix too many: the state before has seen t - 1 steps.", lambda Q, t: product(Q, t)),
    with_product("Q-bar_{t-2} in the place of Q-bar_{t-1}, one matrix too few: the state before has seen t - 1 steps.", lambda Q, t: product(Q, max(t - 2, 0))),
    with_product("a product without Q_1: it begins with Q[0].", lambda Q, t: product(Q[1:], t - 1)),
    with_product("a product without Q_1, and of t - 2 matrices: Q-bar_{t-1} = Q_1 ... Q_{t-1} begins with Q[0].", lambda Q, t: product(Q[1:], max(t - 2, 0))),
    with_product("the transpose of Q-bar_{t-1} in its place: q(x_{t-1} = k | x_0) is the row of x_0.", lambda Q, t: product(Q, t - 1).mT),
    with_product("the matrices multiplied from the last to the first: Q-bar_t = Q_1 Q_2 ... Q_t.", lambda Q, t: product(Q[: t - 1].flip(0), t - 1)),
    with_product("the matrices multiplied entry by entry, as * and cumprod do it: it is the matrix product, @.", lambda Q, t: Q[: t - 1].prod(0)),
    with_product("a sum of the matrices: it is their product.", lambda Q, t: torch.eye(Q.shape[-1]).to(Q) if t == 1 else Q[: t - 1].sum(0)),
    with_product("a power of Q_1: the matrices differ from step to step.", lambda Q, t: power(Q[0], t - 1)),
    with_product("a power of Q_t: the matrices differ from step to step.", lambda Q, t: power(Q[t - 1], t - 1)),
    with_product("Q_{t-1} alone in the place of the product Q-bar_{t-1} = Q_1 ... Q_{t-1}.", lambda Q, t: torch.eye(Q.shape[-1]).to(Q) if t == 1 else Q[t - 2]),
    with_product("Q_{t-1} alone, and the last matrix at t = 1: it is the product Q_1 ... Q_{t-1}, and the identity at t = 1.", lambda Q, t: Q[t - 2]),
    with_product("Q_t in the place of the product Q-bar_{t-1}.", lambda Q, t: Q[t - 1]),
    with_product("Q_1 in the place of an empty product: Q-bar_0 is the identity, so that at t = 1 the answer is x_0.", lambda Q, t: product(Q, max(t - 1, 1))),
    with_product("the product of all T matrices at every t: Q-bar_{t-1} is that of the first t - 1.", lambda Q, t: product(Q, len(Q))),
    with_product("the product of all T matrices at t = 1, as index -1 gives it: Q-bar_0 is the identity.", lambda Q, t: product(Q, t - 1 if t > 1 else len(Q))),
    with_product("ones in the place of an empty product: Q-bar_0 is the identity.", lambda Q, t: product(Q, t - 1) if t > 1 else torch.ones_like(Q[0])),
    with_product("zeros in the place of an empty product, 0 / 0 at t = 1: Q-bar_0 is the identity.", lambda Q, t: product(Q, t - 1) if t > 1 else torch.zeros_like(Q[0])),
    slip("no factor for x_0: that is Q_t[:, x_t] alone; it is multiplied by the row of x_0 of Q-bar_{t-1}.", before=lambda Q, t, x: torch.ones_like(Q[0])[x]),
    slip("x_0 itself, as one-hot rows, without Q-bar_{t-1}: multiply by q(x_{t-1} | x_0).", before=lambda Q, t, x: one_hot(x, Q.shape[-1]).to(Q)),
]  # fmt: skip


def over_marginal(x_t: Tensor, x0: Tensor, t: int, Q: Tensor, total: Callable) -> Tensor:
    """The product of the two factors, divided by total(Q, t, x_t, x0), (B, *S)."""
    return column_of(Q, t, x_t) * row_of(Q, t, x0) / total(Q, t, x_t, x0).unsqueeze(-1)


def over_right(hint: str, step: Callable = column_of, before: Callable = row_of) -> Mutant:
    """A wrong factor beside the right denominator, q(x_t | x_0)."""

    def wrong(x_t: Tensor, x0: Tensor, t: int, Q: Tensor) -> Tensor:
        return step(Q, t, x_t) * before(Q, t, x0) / product(Q, t)[x0, x_t].unsqueeze(-1)

    return Mutant(hint, wrong)


WRONG_FACTORS = [
    over_right("the row of Q_t, over q(x_t | x_0): the factor of x_t is the column Q_t[:, x_t].", step=lambda Q, t, x: Q[t - 1][x]),
    over_right("the column of Q-bar_{t-1}, over q(x_t | x_0): q(x_{t-1} = k | x_0) is the row of x_0.", before=lambda Q, t, x: product(Q, t - 1).mT[x]),
    over_right("Q-bar_t in the place of Q-bar_{t-1}, over q(x_t | x_0): the state before has seen t - 1 steps.", before=lambda Q, t, x: product(Q, t)[x]),
    over_right("x_0 itself, as one-hot rows, over q(x_t | x_0): multiply by the row of x_0 of Q-bar_{t-1}.", before=lambda Q, t, x: one_hot(x, Q.shape[-1]).to(Q)),
    over_right("no factor for x_0, over q(x_t | x_0): multiply by the row of x_0 of Q-bar_{t-1}.", before=lambda Q, t, x: torch.ones_like(Q[0])[x]),
    Mutant("a denominator that gets its last axis in place 2, which fits rows of letters alone: .unsqueeze(-1) or keepdim=True fits all.", lambda x_t, x0, t, Q: column_of(Q, t, x_t) * row_of(Q, t, x0) / product(Q, t)[x0, x_t].unsqueeze(2)),
    Mutant("q(x_{t-1} | x_0) times the whole matrix Q_t, for every x_t: pick the column of the x_t that is given, and normalise.", lambda x_t, x0, t, Q: row_of(Q, t, x0).unsqueeze(-1) * Q[t - 1]),
]  # fmt: skip
LAWS = [
    slip("a law that is not normalised: divide by its sum over the last axis, which is q(x_t | x_0).", law=lambda j: j),
    slip("a softmax of the product: it is no logit, divide by its sum.", law=lambda j: j.softmax(-1)),
    slip("a law divided by its largest entry: divide by its sum.", law=lambda j: j / j.amax(-1, keepdim=True)),
    slip("a law divided by its sum over the batch: the values are on the last axis.", law=lambda j: j / j.sum(0, keepdim=True)),
    slip("a law divided by its sum over the places: the values are on the last axis.", law=lambda j: j / j.sum(1, keepdim=True)),
    slip("a law divided by the sum of everything: divide by the sum over the last axis.", law=lambda j: j / j.sum()),
    slip("a law divided by the root of the sum of squares: divide by its sum.", law=lambda j: j / j.norm(dim=-1, keepdim=True)),
    slip("the root of the product, normalised: it is the product itself.", law=lambda j: normalised(j.sqrt())),
    slip("a sum of at least 0.05 before the division: divide by the sum itself.", law=lambda j: j / j.sum(-1, keepdim=True).clamp(min=0.05)),
    slip("the logarithm of the law: return the probabilities.", law=lambda j: normalised(j).log()),
    *(slip(f"{c:g} added to the sum before the division: divide by the sum itself.", law=lambda j, c=c: j / (j.sum(-1, keepdim=True) + c)) for c in (1e-3, 1e-5, 1e-6, 1e-8)),
    *(slip(f"chances kept above {c:g}: what cannot be has the chance 0.", law=lambda j, c=c: normalised(j).clamp(min=c)) for c in (1e-3, 1e-4, 1e-5, 1e-6, 1e-8)),
    slip("the most probable state: return the chances of all K.", law=lambda j: j.argmax(-1)),
    Mutant("a law divided by q(x_t | x_{t-1} = x_0), one step: q(x_t | x_0) is of t steps; the sum over the last axis gives it.", partial(over_marginal, total=lambda Q, t, x, x0: Q[t - 1][x0, x])),
    Mutant("a law divided by q(x_{t-1} = x_t | x_0): the denominator is q(x_t | x_0), of t steps.", partial(over_marginal, total=lambda Q, t, x, x0: product(Q, t - 1)[x0, x])),
    Mutant("a law divided by q(x_t = x_0 | x_0 = x_t), with the two exchanged: the denominator is q(x_t | x_0), in the row of x_0.", partial(over_marginal, total=lambda Q, t, x, x0: product(Q, t)[x, x0])),
]  # fmt: skip


def added(x_t: Tensor, x0: Tensor, t: int, Q: Tensor) -> Tensor:
    return normalised(column_of(Q, t, x_t) + row_of(Q, t, x0))


def stays(x_t: Tensor, x0: Tensor, t: int, Q: Tensor) -> Tensor:
    sure = one_hot(x0, Q.shape[-1]).to(Q)
    return torch.where((x_t == x0).unsqueeze(-1), sure, d3pm_posterior(x_t, x0, t, Q))


OTHERS = [
    Mutant("x_t and x_0 exchanged: x_t picks the column of Q_t, x_0 the row of Q-bar_{t-1}.", lambda x_t, x0, t, Q: d3pm_posterior(x0, x_t, t, Q)),
    Mutant("q(x_t | x_0), the row of Q-bar_t: the posterior looks at x_t, too.", lambda x_t, x0, t, Q: product(Q, t)[x0]),
    Mutant("a sum of the two factors in the place of their product.", added),
    Mutant(
        "rows and columns swapped in both matrices: Q_t[:, x_t] is a column, the row of x_0 is one of Q-bar_{t-1}.",
        partial(built, step=lambda Q, t, x: Q[t - 1][x], before=lambda Q, t, x0: product(Q, t - 1).mT[x0]),
    ),
    Mutant(
        "two mistakes: Q_t for its transpose, and Q-bar_t for Q-bar_{t-1}.",
        partial(built, step=lambda Q, t, x: Q[t - 1][x], before=lambda Q, t, x0: product(Q, t)[x0]),
    ),
    Mutant(
        "two mistakes: Q-bar_t for Q-bar_{t-1}, and a law that is not normalised.",
        partial(built, before=lambda Q, t, x0: product(Q, t)[x0], law=lambda j: j),
    ),
    Mutant(
        "two mistakes: Q_t for its transpose, and a law that is not normalised.",
        partial(built, step=lambda Q, t, x: Q[t - 1][x], law=lambda j: j),
    ),
    argument_slip("the first sample's x_t for the whole batch: each has its own.", d3pm_posterior, "x_t", lambda x: x[:1].expand_as(x)),
    argument_slip("the first sample's x_0 for the whole batch: each has its own.", d3pm_posterior, "x0", lambda x: x[:1].expand_as(x)),
    argument_slip("matrices rounded to float32: keep the dtype of Q.", d3pm_posterior, "Q", lambda Q: Q.float().to(Q)),
    Mutant("x_{t-1} = x_0 for sure where x_t is x_0, as for masks: other chains may have gone away and come back.", stays),
    result_slip("the first token of each sample alone: return the chances of every token.", d3pm_posterior, lambda p: p[:, :1]),
    result_slip("the K values on the first axis: they are the last axis.", d3pm_posterior, lambda p: p.movedim(-1, 0)),
    result_slip("the K values on the axis behind the batch: they are the last axis.", d3pm_posterior, lambda p: p.movedim(-1, 1)),
    squeezed(d3pm_posterior),
]  # fmt: skip

D3PM_POSTERIOR = Check(
    id="11-d3pm_posterior",
    points=4,
    minutes=15,
    level=2,
    reference=d3pm_posterior,
    inputs=inputs,
    fixed=chains,
    recording=False,
    same_dtype=True,
    where='section 9 of this notebook ("D3PM: other ways to forget"): Q_t[:, x_t] times the row of x_0 of Q-bar_{t-1} = Q_1 ... Q_{t-1}, divided by '
    "the sum, q(x_t | x_0); Q-bar_0 is the identity (Austin et al. 2021, eq. 3).",
    outputs=("posterior",),
    library=("transitions.Process.posterior",),
    mutants=[*STEPS, *BEFORE, *LAWS, *WRONG_FACTORS, *OTHERS],
)
