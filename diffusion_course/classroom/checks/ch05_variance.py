"""The variance between beta-tilde and beta that a network answers."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw, column
from .slips import argument_slip, result_slip, squeezed


def learned_variance(v: Tensor, t: Tensor, betas: Tensor) -> Tensor:
    return built(v, t, betas)


def beta_tilde(betas: Tensor) -> Tensor:
    """beta-tilde_1 = 0, beta-tilde_2, ..., beta-tilde_T."""
    alpha_bar = torch.cumprod(1 - betas, 0)
    return betas * (1 - before(alpha_bar)) / (1 - alpha_bar)


def before(alpha_bar: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])


def forward_tilde(alpha_bar: Tensor, betas: Tensor) -> Tensor:
    """The ratio with the next alpha_bar, the last one twice."""
    return betas * (1 - torch.cat([alpha_bar[1:], alpha_bar[-1:]])) / (1 - alpha_bar)


def mended(small: Tensor, betas: Tensor) -> Tensor:
    """The entry of t = 2 at t = 1, too."""
    return torch.cat([small[1:2], small[1:]])


def geometric(f: Tensor, small: Tensor, large: Tensor) -> Tensor:
    return (f * large.log() + (1 - f) * small.log()).exp()


def built(
    v: Tensor,
    t: Tensor,
    betas: Tensor,
    tilde: Callable[[Tensor], Tensor] = beta_tilde,
    first: Callable[[Tensor, Tensor], Tensor] = mended,
    large: Callable[[Tensor], Tensor] = lambda betas: betas,
    index: Callable[[Tensor, Tensor], Tensor] = lambda t, betas: t - 1,
    share: Callable[[Tensor], Tensor] = lambda v: (v + 1) / 2,
    mix: Callable[[Tensor, Tensor, Tensor], Tensor] = geometric,
) -> Tensor:
    """The answer from its parts, each of which a slip may replace."""
    at = index(t, betas)
    low, high = (column(table[at], v) for table in (first(tilde(betas), betas), large(betas)))
    return mix(share(v), low, high)


def slip(hint: str, **parts: Callable) -> Mutant:
    return Mutant(hint, lambda v, t, betas: built(v, t, betas, **parts))


def partly(hint: str, when: Callable[[Tensor], bool]) -> Mutant:
    """A mutant that replaces beta-tilde_1 for some batches alone: when(t)."""
    return Mutant(
        hint, lambda v, t, betas: built(v, t, betas, first=mended if when(t) else lambda small, betas: small)
    )


def from_alpha_bar(ratio: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """beta times ratio(alpha_bar_{t-1}, alpha_bar_t)."""

    def tilde(betas: Tensor) -> Tensor:
        alpha_bar = torch.cumprod(1 - betas, 0)
        return betas * ratio(before(alpha_bar), alpha_bar)

    return tilde


def own_alphas(betas: Tensor) -> Tensor:
    return 1 - before(1 - betas)


def by_sums(betas: Tensor) -> Tensor:
    alpha_bar = torch.exp(-betas.cumsum(0))
    return betas * (1 - before(alpha_bar)) / (1 - alpha_bar)


def edges(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The chapter's chains, at the times where slips show; v at its ends, outside of them, and far outside."""
    for name, betas in d.schedules().items():
        t = d.times()
        yield name, (d.normal(6, 3), t, betas)
        yield f"{name}, v far outside", (d.wide(6, 1, 2, 2), t, betas)
    ladder = d.ladder(-1.5, 1.5, 7)
    short = d.cosine(25)
    yield (
        "v from -1.5 to 1.5",
        (ladder[:, None].expand(7, 2).clone(), torch.tensor([2, 3, 1, 25, 5, 2, 9], device=d.device), short),
    )
    falling = torch.tensor([1, 2, 100], device=d.device)
    yield "betas that fall", (d.normal(3, 2), falling, d.linear(100).flip(0))
    yield "two steps", (d.normal(2, 3), torch.tensor([2, 1], device=d.device), d.cosine(2))
    yield "one sample, t = 1", (d.normal(1, 1, 4, 4), torch.tensor([1], device=d.device), d.linear())


def random_case(d: Draw) -> tuple:
    return d.uniform(-1.2, 1.2, d.B, *d.event), d.t(), d.betas()


LEARNED_VARIANCE = Check(
    id="05-learned_variance",
    points=3,
    minutes=15,
    level=2,
    reference=learned_variance,
    inputs=random_case,
    fixed=edges,
    where='(3) in section 2 of this notebook ("A variance between two bounds"): exp(f log beta_t + (1 - f) log beta-tilde_t) with '
    "f = (v + 1) / 2, and beta-tilde_2 for beta-tilde_1 (Nichol & Dhariwal 2021, eq. 15).",
    outputs=("variance",),
    grad=("v",),
    library=("losses.learned_log_variance", "samplers.learned_variance"),
    mutants=[
        # the share f
        slip("v taken for the share f: v runs from -1 to 1, and f = (v + 1) / 2 from 0 to 1.", share=lambda v: v),
        slip("f = v + 1, which runs from 0 to 2: halve it.", share=lambda v: v + 1),
        slip("f = v / 2 + 1: it is (v + 1) / 2.", share=lambda v: v / 2 + 1),
        slip(
            "the two ends exchanged: v = 1 means beta_t, and v = -1 beta-tilde_t.", share=lambda v: (1 - v) / 2
        ),
        slip("v clipped to -1..1: it is taken as it is.", share=lambda v: (v.clamp(-1, 1) + 1) / 2),
        slip("f = sigmoid(v): here f = (v + 1) / 2.", share=torch.sigmoid),
        slip("f = (tanh(v) + 1) / 2: v is taken as it is.", share=lambda v: (v.tanh() + 1) / 2),
        slip("no use of v: f = (v + 1) / 2 is a number for each coordinate.", share=lambda v: torch.full_like(v, 0.5)),
        # how the two are mixed
        slip(
            "alpha_bar_{t+1} for alpha_bar_{t-1} in beta-tilde_t: the table is shifted the other way.",
            tilde=lambda betas: forward_tilde(torch.cumprod(1 - betas, 0), betas),
        ),
        slip(
            "a mean of the two variances themselves: take it of their logarithms, then exp.",
            mix=lambda f, small, large: f * large + (1 - f) * small,
        ),
        slip(
            "a log-variance: the variance is its exp.",
            mix=lambda f, small, large: f * large.log() + (1 - f) * small.log(),
        ),
        slip(
            "a standard deviation: return the variance, without a root.",
            mix=lambda f, small, large: geometric(f, small, large).sqrt(),
        ),
        slip(
            "exp of a log2: use the natural logarithm.",
            mix=lambda f, small, large: (f * large.log2() + (1 - f) * small.log2()).exp(),
        ),
        slip(
            "beta^f + beta-tilde^(1 - f), a sum: exp of a sum is a product.",
            mix=lambda f, small, large: large**f + small ** (1 - f),
        ),
        slip(
            "exp of a log10: use the natural logarithm.",
            mix=lambda f, small, large: (f * large.log10() + (1 - f) * small.log10()).exp(),
        ),
        slip("beta_t for every v: the other end is beta-tilde_t, with alpha_bar_{t-1} above the line and alpha_bar_t below.", mix=lambda f, small, large: large + 0 * f),
        slip("beta-tilde_t for every v: beta_t is the other end.", mix=lambda f, small, large: small + 0 * f),
        slip(
            "f before both logarithms: beta-tilde_t has 1 - f.",
            mix=lambda f, small, large: (f * (large.log() + small.log())).exp(),
        ),
        slip(
            "beta-tilde_t without its logarithm: exp(f log beta_t + (1 - f) log beta-tilde_t).",
            mix=lambda f, small, large: (f * large.log() + (1 - f) * small).exp(),
        ),
        slip(
            "beta_t without its logarithm: exp(f log beta_t + (1 - f) log beta-tilde_t).",
            mix=lambda f, small, large: (f * large + (1 - f) * small.log()).exp(),
        ),
        slip("1 / variance: the exponent has no minus.", mix=lambda f, small, large: 1 / geometric(f, small, large)),
        slip("f = 2 (v + 1): halve v + 1.", share=lambda v: 2 * (v + 1)),
        slip("the size of v without its sign: v = -1 means beta-tilde_t.", share=lambda v: (v.abs() + 1) / 2),
        slip("one f for a whole sample: each coordinate has its own.", share=lambda v: (column(v.flatten(1).mean(1), v) + 1) / 2 + 0 * v),
        slip("one f for the whole batch: each sample and coordinate has its own.", share=lambda v: (v.mean(0, keepdim=True) + 1) / 2 + 0 * v),
        slip("a minus between the two logarithms: they are added.", mix=lambda f, small, large: (f * large.log() - (1 - f) * small.log()).exp()),
        slip("a mean of the two deviations: take it of the logarithms.", mix=lambda f, small, large: (f * large.sqrt() + (1 - f) * small.sqrt()) ** 2),
        slip("a mean of 1 / variance: take it of the logarithms.", mix=lambda f, small, large: 1 / (f / large + (1 - f) / small)),
        # t = 1
        Mutant(
            "0 at t = 1: take beta-tilde_2 for beta-tilde_1, and go on as for the others.",
            lambda v, t, betas: torch.where(column(t, v) == 1, 0, built(v, t, betas)),
        ),
        slip(
            "beta_2 in the place of beta-tilde_1: there beta-tilde_2 stands for it.",
            first=lambda small, betas: torch.cat([betas[1:2], small[1:]]),
        ),
        slip(
            "beta-tilde_1 = 0 as it is, whose logarithm is -infinity: at t = 1 take beta-tilde_2.",
            first=lambda small, betas: small,
        ),
        partly("beta-tilde_1 replaced only where all samples have t = 1: replace it in the table, once.", lambda t: bool((t == 1).all())),
        partly("beta-tilde_1 replaced only where the first sample has t = 1: replace it in the table, once.", lambda t: bool(t[0] == 1)),
        *(
            slip(
                f"beta-tilde_1 raised to {least:g}, and not replaced: at t = 1 take beta-tilde_2.",
                first=lambda small, betas, least=least: small.clamp(min=least),
            )
            for least in (1e-20, 1e-12, 1e-8)
        ),
        slip(
            "beta_1 for every v at t = 1: there beta-tilde_2 stands for beta-tilde_1.",
            first=lambda small, betas: torch.cat([betas[:1], small[1:]]),
        ),
        slip(
            "every entry below beta-tilde_2 raised to it: only that of t = 1 is replaced.",
            first=lambda small, betas: torch.cat([small[1:2], small[1:].clamp(min=small[1].item())]),
        ),
        slip(
            "the whole table beta-tilde moved by one: only its first entry is replaced.",
            first=lambda small, betas: torch.cat([small[1:], small[-1:]]),
        ),
        slip(
            "beta_1 and beta-tilde_1 both taken from t = 2: only beta-tilde_1 is replaced.",
            large=lambda betas: torch.cat([betas[1:2], betas[1:]]),
        ),
        # the tables
        slip(
            "alpha_bar_t and alpha_bar_{t-1} exchanged in beta-tilde: it is (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) beta_t.",
            tilde=from_alpha_bar(lambda prev, now: (1 - now) / (1 - prev).clamp(min=1e-30)),
        ),
        slip(
            "beta-tilde without its factor beta_t.",
            tilde=lambda betas: beta_tilde(betas) / betas,
        ),
        slip("a root in beta-tilde: it has none.", tilde=from_alpha_bar(lambda prev, now: ((1 - prev) / (1 - now)).sqrt())),
        slip(
            "alpha_bar for 1 - alpha_bar in beta-tilde: the ratio is of the noise, and below 1.",
            tilde=from_alpha_bar(lambda prev, now: prev / now),
        ),
        slip(
            "alpha for alpha_bar in beta-tilde, which makes it beta_{t-1}: the ratio is of cumulative products.",
            tilde=own_alphas,
        ),
        slip("1 - alpha_bar_t for beta_t: the larger end is the noise of one step.", large=lambda betas: 1 - torch.cumprod(1 - betas, 0)),
        slip("alpha_t for beta_t.", large=lambda betas: 1 - betas),
        slip("the root of beta_t: it is a variance.", large=torch.sqrt),
        slip("alpha_bar as exp(-(beta_1 + ... + beta_t)): it is the product of 1 - beta.", tilde=by_sums),
        *(
            slip(
                f"{small:g} added in the logarithms: with beta-tilde_2 for beta-tilde_1 they need no help.",
                mix=lambda f, low, high, small=small: geometric(f, low + small, high + small),
            )
            for small in (1e-3, 1e-5, 1e-6, 1e-8)
        ),
        slip(
            "a product of the betas: alpha_bar is the product of 1 - beta.",
            tilde=lambda betas: betas * (1 - before(betas.cumprod(0))) / (1 - betas.cumprod(0)),
        ),
        # the time
        slip(
            "the tables read at t: index 0 belongs to t = 1, so read t - 1.",
            index=lambda t, betas: t.clamp(max=len(betas) - 1),
        ),
        slip("the tables read at t - 2: index 0 belongs to t = 1, so read t - 1.", index=lambda t, betas: (t - 2).clamp(min=0)),
        slip("one t for the whole batch: each sample has its own.", index=lambda t, betas: (t[:1] - 1).expand_as(t)),
        argument_slip("the betas from the last to the first: betas[0] is beta_1.", learned_variance, "betas", lambda b: b.flip(0)),
        result_slip("one number for each sample: the variance has the shape of v.", learned_variance, lambda s: s.flatten(1).mean(1)),
        squeezed(learned_variance),
    ],
)  # fmt: skip
