"""A step of masked diffusion back: each hidden token is shown or not, and which token it is, by one draw."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw
from .slips import result_slip, squeezed
from .toys import ToyTokens

GAP = 0.02  # between the two largest of log p + g: rounding decides no draw


def unmask_step(model: Callable, x_t: Tensor, t: float, s: float, g: Tensor, K: int) -> Tensor:
    return built(model, x_t, t, s, g, K)


def right_share(t: float, s: float) -> float:
    """The chance that a hidden token is shown."""
    return (t - s) / t


def law(logits: Tensor, shown: float) -> Tensor:
    """log p(x_s | x_t) of a hidden token, K + 1 values."""
    p = logits.softmax(-1)
    return torch.cat([shown * p, torch.full_like(p[..., :1], 1 - shown)], -1).log()


def drawn(log_p: Tensor, g: Tensor) -> Tensor:
    return (log_p + g).argmax(-1)


def kept(x_t: Tensor, new: Tensor, K: int) -> Tensor:
    return torch.where(x_t == K, new, x_t)


def built(
    model: Callable,
    x_t: Tensor,
    t: float,
    s: float,
    g: Tensor,
    K: int,
    see: Callable = lambda x, K: x,
    share: Callable = right_share,
    log_p: Callable = law,
    draw: Callable = drawn,
    keep: Callable = kept,
) -> Tensor:
    """The step in parts. see: what the model is shown; share: the chance to be shown; log_p: the law of a hidden token; draw: a token from it;
    keep: what becomes of the tokens that are visible."""
    return keep(x_t, draw(log_p(model(see(x_t, K)), share(t, s)), g), K)


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, partial(built, **parts))


def pair(hint: str, shown: Callable, stay: Callable) -> Mutant:
    """A step with these two chances, to be shown and to stay hidden, of (t, s), that need not add up to 1."""
    return slip(hint, share=lambda t, s: (shown(t, s), stay(t, s)), log_p=weighed)


def weighed(logits: Tensor, both: tuple[float, float]) -> Tensor:
    """log p of K + 1 values, with a chance to be shown and one to stay hidden."""
    shown, stay = both
    return torch.cat([shown * logits.softmax(-1), torch.full_like(logits[..., :1], stay)], -1).log()


def scores(model: Callable, x_t: Tensor, t: float, s: float, g: Tensor) -> Tensor:
    """log p + g, whose largest entry is drawn."""
    return law(model(x_t), right_share(t, s)) + g


def apart(model: ToyTokens, x_t: Tensor, t: float, s: float, g: Tensor, gap: float = GAP) -> Tensor:
    """g, raised where the largest entry of log p + g is nearly tied with the next."""
    with torch.no_grad():
        top, first = scores(model.double(), x_t, t, s, g.double()).topk(2, -1)
        close = torch.where(top[..., :1] - top[..., 1:] < gap, 2 * gap, 0.0).to(g)
        model.to(g.dtype)
    return g.scatter_add(-1, first[..., :1], close)


def tied(model: Callable, x_t: Tensor, t: float, s: float, g: Tensor, gaps: Tensor) -> Tensor:
    """g, such that the two largest entries of log p + g are as far apart as `gaps`, (B, *S)."""
    with torch.no_grad():
        top, first = scores(model, x_t, t, s, g).topk(2, -1)
    return g.scatter_add(-1, first[..., :1], (gaps.unsqueeze(-1) - (top[..., :1] - top[..., 1:])))


def gumbel(d: Draw, *shape: int) -> Tensor:
    """Gumbel noise: the largest of log p + g is a draw from p."""
    return -(-d.uniform(1e-4, 1 - 1e-4, *shape).log()).log()


def partly(d: Draw, K: int, share: float, *shape: int) -> Tensor:
    """Tokens of which some are hidden; of each sample the first and not the last."""
    x = torch.where(d.uniform(0, 1, *shape) < share, K, d.tokens(K, *shape))
    flat = x.reshape(len(x), -1)
    flat[:, 0], flat[:, -1] = K, flat[:, -1].clamp(max=K - 1)
    return flat.reshape(shape)


def inputs(d: Draw) -> tuple:
    """At "first" the step goes to 0, at "last" it begins at 1, where all is hidden."""
    K = d.size()
    shape = (d.B, *d.event)
    t = 1.0 if d.edge == "last" else round(float(d.uniform(0.5, 0.9)), 3)
    s = 0.0 if d.edge == "first" else round(t * float(d.uniform(0.3, 0.7)), 3)
    model = d.token_model(K)
    x = torch.full(shape, K, device=d.device) if d.edge == "last" else partly(d, K, 0.7, *shape)
    return model, x, t, s, apart(model, x, t, s, gumbel(d, *shape, K + 1)), K


def edges(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Whole jumps, short steps, steps to 0, many values, pictures, all and nothing hidden, near ties, noise far from usual."""

    def case(t: float, s: float, K: int = 3, hidden: float = 0.6, *shape: int, wide: float = 1) -> tuple:
        shape = shape or (6, 40)
        model, x = d.token_model(K), partly(d, K, hidden, *shape)
        return model, x, t, s, apart(model, x, t, s, wide * gumbel(d, *shape, K + 1)), K

    for t, s in (
        (1.0, 0.0),
        (1.0, 0.5),
        (0.5, 0.25),
        (0.25, 0.0),
        (0.9, 0.89),
        (0.1234, 0.0567),
        (0.02, 0.005),
        (0.008, 0.003),
        (1, 0),
    ):
        yield f"t = {t:g}, s = {s:g}", case(t, s)
    yield "38 letters", case(0.6, 0.4, 38, 0.5, 3, 30)
    yield "digits of 4 x 4", case(0.6, 0.3, 8, 0.5, 5, 4, 4)
    yield "two values", case(0.6, 0.3, 2)
    yield "one sample", case(0.6, 0.3, 4, 0.5, 1, 9)
    yield "nothing hidden but one token", case(0.6, 0.3, 3, 0.0)
    yield "wide noise", case(0.6, 0.3, wide=8)
    yield "very wide noise", case(0.6, 0.3, wide=300)
    *rest, g, K = case(0.5, 0.0)
    g[..., K] += 25
    yield "a step to 0, whatever the mask's noise is", (*rest, g, K)
    model, x = d.token_model(3), torch.full((4, 100), 3, device=d.device)
    for gap in (3e-4, 2e-5, 2e-6):
        gaps = torch.full(x.shape, gap, dtype=d.dtype, device=d.device)
        yield f"draws that are tied to {gap:g}", (model, x, 0.6, 0.3, tied(model, x, 0.6, 0.3, gumbel(d, 4, 100, 4), gaps), 3)  # fmt: skip


def of_mask_in_softmax(logits: Tensor, shown: float) -> Tensor:
    """The mask among the values that a shown token may take."""
    p = torch.cat([logits, torch.zeros_like(logits[..., :1])], -1).softmax(-1)
    return (shown * p + (1 - shown) * (torch.arange(p.shape[-1], device=p.device) == p.shape[-1] - 1)).log()


def mask_for_all(logits: Tensor, shown: float) -> Tensor:
    """The network's law and a logit 0 for the mask, whatever the chance to be shown."""
    return torch.cat([logits, torch.zeros_like(logits[..., :1])], -1).log_softmax(-1)


def raw(logits: Tensor, shown: float) -> Tensor:
    both = torch.tensor([shown, 1 - shown]).to(logits).log()
    return torch.cat([logits + both[0], torch.zeros_like(logits[..., :1]) + both[1]], -1)


def values(logits: Tensor, shown: float) -> Tensor:
    """The law of a token that is shown in any case."""
    return law(logits, 1.0)


def with_p(change: Callable) -> Callable:
    """A law made of change(logits), in the place of the softmax over the last axis."""

    def log_p(logits: Tensor, shown: float) -> Tensor:
        p = change(logits)
        return torch.cat([shown * p, torch.full_like(p[..., :1], 1 - shown)], -1).log()

    return log_p


def by_coin(log_p: Tensor, g: Tensor) -> Tensor:
    """The value by its own noise, and then shown or not by the mask's."""
    token = (log_p + g)[..., :-1].argmax(-1)
    uniform = (-(-g[..., -1]).exp()).exp()
    return torch.where(uniform < log_p[..., -1].exp(), log_p.shape[-1] - 1, token)


def greedy_values(log_p: Tensor, g: Tensor) -> Tensor:
    """Shown or not by the draw, and then as the likeliest value."""
    K = log_p.shape[-1] - 1
    return torch.where((log_p + g).argmax(-1) == K, K, log_p[..., :-1].argmax(-1))


def mask_by_sample(log_p: Tensor, g: Tensor) -> Tensor:
    """The mask's noise of the first place for a whole sample."""
    one = g[..., -1:].flatten(1)[:, :1].reshape(-1, *[1] * (g.ndim - 1))
    return drawn(log_p, torch.cat([g[..., :-1], one.expand_as(g[..., -1:])], -1))


def one_shown(model: Callable, x_t: Tensor, t: float, s: float, g: Tensor, K: int) -> Tensor:
    """Of the tokens that would be shown only the one whose place is surest."""
    logits = model(x_t)
    new = drawn(law(logits, right_share(t, s)), g)
    sure = torch.where((x_t == K) & (new < K), logits.softmax(-1).amax(-1), -1.0).flatten(1)
    first = torch.zeros_like(sure).scatter(1, sure.argmax(1, keepdim=True), 1).bool().reshape(x_t.shape)
    return torch.where(first & (x_t == K), new, x_t)


def first_sample(log_p: Tensor, g: Tensor) -> Tensor:
    return drawn(log_p, g[:1])


def first_place(log_p: Tensor, g: Tensor) -> Tensor:
    flat = g.flatten(1, -2)[:, :1]
    return drawn(log_p, flat.reshape(len(g), *[1] * (g.ndim - 2), g.shape[-1]).expand_as(g))


VISIBLE = [
    slip("visible tokens drawn again: a visible token stays what it is, torch.where(x_t == K, drawn, x_t).", keep=lambda x, new, K: new),
    slip("visible tokens drawn again, and never the mask among them: a visible token stays what it is.", keep=lambda x, new, K: torch.where((x != K) & (new == K), x, new)),
    slip("the branches of torch.where swapped, so that hidden tokens stay and visible ones are drawn: the hidden ones are drawn.", keep=lambda x, new, K: torch.where(x == K, x, new)),
    slip("x_t as it was: the hidden tokens are drawn.", keep=lambda x, new, K: x.clone()),
    slip("visible tokens hidden again: a visible token stays what it is.", keep=lambda x, new, K: torch.where(x == K, new, K)),
    slip("the mask taken for 0: the mask is K.", keep=lambda x, new, K: torch.where(x == 0, new, x)),
    slip("the mask taken for K - 1: the mask is K.", keep=lambda x, new, K: torch.where(x == K - 1, new, x)),
]  # fmt: skip
MASKS = [
    slip("a chance for the mask among the values of a shown token: the network's law has K values, and the mask has what is left, 1 - (t - s) / t.", log_p=of_mask_in_softmax),
    slip("a chance for the mask from a logit of its own: its chance is s / t, whatever the logits are.", log_p=mask_for_all),
    slip("no chance for the mask, so that all hidden tokens are shown at once: only a share (t - s) / t of them is.", log_p=values),
    slip("logits that are not normalised: log_softmax first, then the chance to be shown.", log_p=raw),
    slip("logits in the place of log p, and the mask left at log(s / t) beside them: log_softmax first.", log_p=lambda l, p: torch.cat([l, torch.full_like(l[..., :1], 1 - p).log()], -1)),
    slip("the law of the values without the chance (t - s) / t before it: the K + 1 chances add up to 1.", log_p=lambda l, p: torch.cat([l.log_softmax(-1), torch.full_like(l[..., :1], 1 - p).log()], -1)),
    slip("the mask at the beginning of the law: it is value K, the last.", log_p=lambda l, p: law(l, p).roll(1, -1)),
    slip("the mask's chance with the first entry of g, and the values' with the others: the mask's entry is the last.", draw=lambda p, g: ((p.roll(1, -1) + g).argmax(-1) - 1) % p.shape[-1]),
    *(slip(f"a chance of {c:g} for the mask where s is smaller: at s = 0 none may be left; log(0) is minus infinity, and that is right.", share=lambda t, s, c=c: (right_share(t, s), max(s, c) / t), log_p=weighed) for c in (1e-2, 1e-3)),
    *(slip(f"{c:g} added inside the logarithm: at s = 0 a mask may be left; log(0) is minus infinity, and that is right.", log_p=lambda l, p, c=c: (law(l, p).exp() + c).log()) for c in (1e-2, 1e-3)),
    slip("a mask that can be left at s = 0, by a small number inside the logarithm or a bound of the chance: log(0) is minus infinity, and that is right.", log_p=lambda l, p: (law(l, p).exp() + 1e-6).log()),
]  # fmt: skip
STAYS: dict[str, Callable[[float, float], float]] = {
    "s, not divided by t,": lambda t, s: s,
    "t": lambda t, s: t,
    "1 - t": lambda t, s: 1 - t,
    "1 - s": lambda t, s: 1 - s,
    "1": lambda t, s: 1,
    "(1 - t) / (1 - s)": lambda t, s: (1 - t) / (1 - s),
}
SHOWNS: dict[str, Callable[[float, float], float]] = {
    "(t - s) / s": lambda t, s: (t - s) / max(s, 1e-9),
    "t - s, not divided by t,": lambda t, s: t - s,
    "1 - s": lambda t, s: 1 - s,
}
SHARES = [
    slip("the two chances swapped: (alpha_s - alpha_t) / (1 - alpha_t) = (t - s) / t is the chance to be shown, and s / t to stay hidden.", share=lambda t, s: s / t),
    slip("alpha_s and alpha_t swapped in the denominator: it is 1 - alpha_t = t, and (t - s) / s is none.", share=lambda t, s: (t - s) / s if s else float("inf")),
    slip("a chance below 0, as with alpha_s and alpha_t swapped, or a logarithm in the place of p, and NaN: the chance is (t - s) / t, above 0.", share=lambda t, s: (s - t) / t),
    slip("the chance t - s, not divided by t: masks are left at s = 0; it is (t - s) / t.", share=lambda t, s: t - s),
    slip("the chance 1 - s, that of a token which is visible at s: of those hidden at t it is (t - s) / t.", share=lambda t, s: 1 - s),
    slip("the chance 1 - t: of those hidden at t a share (t - s) / t is shown.", share=lambda t, s: 1 - t),
    slip("the chance t: of those hidden at t a share (t - s) / t is shown.", share=lambda t, s: t),
    slip("the chances t - s and 1 - t, or both divided by alpha_s = 1 - s: divide by 1 - alpha_t = t, so that s / t stays hidden.", share=lambda t, s: (t - s) / (1 - s)),
    slip("the chance (t - s) / (1 - t), divided by alpha_t: divide by 1 - alpha_t = t.", share=lambda t, s: (t - s) / (1 - t) if t < 1 else float("inf")),
    slip("the same chance to be shown and to stay hidden, whatever t and s are: they are (t - s) / t and s / t.", share=lambda t, s: 0.5),
    slip("the chance ((t - s) / t)^2: it is (t - s) / t.", share=lambda t, s: ((t - s) / t) ** 2),
    slip("the chance sqrt((t - s) / t): it is (t - s) / t.", share=lambda t, s: ((t - s) / t) ** 0.5),
    *(pair(f"the chance {words} to stay hidden, beside (t - s) / t to be shown: it is s / t, and the two add up to 1.", right_share, stay) for words, stay in STAYS.items()),
    *(pair(f"the chance {words} to be shown, beside s / t to stay hidden: it is (t - s) / t, and the two add up to 1.", shown, lambda t, s: s / t) for words, shown in SHOWNS.items()),
]  # fmt: skip
DRAWS = [
    slip("the likeliest of the K + 1, without the noise: that is no draw; take the argmax of log p + g.", draw=lambda p, g: p.argmax(-1)),
    slip("a minus before g: take the argmax of log p + g.", draw=lambda p, g: (p - g).argmax(-1)),
    slip("p in the place of log p: take the argmax of log p + g.", draw=lambda p, g: (p.exp() + g).argmax(-1)),
    slip("log p times g: take the argmax of log p + g.", draw=lambda p, g: (p * g).argmax(-1)),
    slip("p times g: take the argmax of log p + g.", draw=lambda p, g: (p.exp() * g).argmax(-1)),
    slip("the argmin of log p + g: it is the argmax.", draw=lambda p, g: (p + g).argmin(-1)),
    slip("the noise alone, so that every value is as likely: take the argmax of log p + g.", draw=lambda p, g: g.argmax(-1)),
    slip("twice the noise: take the argmax of log p + g.", draw=lambda p, g: (p + 2 * g).argmax(-1)),
    slip("half of the noise, a temperature: take the argmax of log p + g.", draw=lambda p, g: (p + g / 2).argmax(-1)),
    slip("the likeliest value where a token is shown: the value is drawn, too, by the argmax of log p + g over all K + 1.", draw=greedy_values),
    slip("the mask's noise of one place for a whole sample: each token has its own.", draw=mask_by_sample),
    Mutant("one token shown in each sample: each hidden token is shown or not by its own draw.", one_shown),
    slip("g taken for uniform numbers, whose logarithm is taken twice, and NaN: g is Gumbel noise already.", draw=lambda p, g: (p - (-g.log()).log()).argmax(-1)),
    slip("Gumbel noise made of g once more: g is Gumbel noise already.", draw=lambda p, g: (p - (-g.sigmoid().log()).log()).argmax(-1)),
    slip("g taken for uniform numbers, and made Gumbel noise once more: g is Gumbel noise already.", draw=lambda p, g: (p - (-g.abs().clamp(1e-9, 1 - 1e-9).log()).log()).argmax(-1)),
    slip("the mask's draw without its noise: g has K + 1 entries, the last is the mask's.", draw=lambda p, g: (p + torch.cat([g[..., :-1], 0 * g[..., -1:]], -1)).argmax(-1)),
    slip("the values drawn first, and shown or not by a coin made of the mask's noise: that has the right law, but this check gives you g for one argmax over all K + 1.", draw=by_coin),
    slip("the first sample's noise for the whole batch: each has its own.", draw=first_sample),
    slip("one place's noise for a whole sample: each token has its own.", draw=first_place),
    slip("an argmax over the places: it is over the last axis.", draw=lambda p, g: (p + g).argmax(-2)[..., :1].expand(p.shape[:-1])),
]  # fmt: skip
MODELS = [
    slip("a model that is shown K - 1 where a token is hidden: it is shown x_t, with the mask K.", see=lambda x, K: x.clamp(max=K - 1)),
    slip("a model that is shown 0 where a token is hidden: it is shown x_t, with the mask K.", see=lambda x, K: torch.where(x == K, 0, x)),
    slip("a model that is shown masks alone: it is shown x_t.", see=torch.full_like),
    slip("a softmax over the batch: it is over the last axis, the K values.", log_p=with_p(lambda l: l.softmax(0))),
    slip("a softmax over the places: it is over the last axis, the K values.", log_p=with_p(lambda l: l.softmax(1))),
    slip("a sigmoid for each value: the softmax makes a law of the logits.", log_p=with_p(torch.sigmoid)),
    slip("equal chances for all values: they are the softmax of the model's logits.", log_p=with_p(lambda l: torch.full_like(l, 1 / l.shape[-1]))),
    slip("twice the logits, a temperature of 1/2: take their softmax as it is.", log_p=with_p(lambda l: (2 * l).softmax(-1))),
    slip("-log p in the place of p: the chances are the softmax of the logits.", log_p=with_p(lambda l: -l.log_softmax(-1))),
    slip("a logit for the mask in the softmax of the values: their chances add up to (t - s) / t without it.", log_p=with_p(lambda l: torch.cat([l, torch.zeros_like(l[..., :1])], -1).softmax(-1)[..., :-1])),
    slip("p squared: the chances are (t - s) / t times p.", log_p=with_p(lambda l: l.softmax(-1).square())),
    slip("log p times (t - s) / t: p is multiplied by it, so its logarithm is added.", log_p=lambda l, p: torch.cat([p * l.log_softmax(-1), torch.full_like(l[..., :1], 1 - p).log()], -1)),
    slip("a softmax twice: once makes a law of the logits.", log_p=with_p(lambda l: l.softmax(-1).softmax(-1))),
]  # fmt: skip


def swapped(model: Callable, x_t: Tensor, t: float, s: float, g: Tensor, K: int) -> Tensor:
    return unmask_step(model, x_t, s or 1e-300, t, g, K)


RESULTS = [
    Mutant("t and s swapped: the step goes from t to the earlier s.", swapped),
    slip("the chances in the place of a draw: return tokens, (B, *S).", draw=lambda p, g: p.exp(), keep=lambda x, new, K: new),
    slip("one-hot rows in the place of tokens: return the numbers of the values, (B, *S).", draw=lambda p, g: torch.nn.functional.one_hot(drawn(p, g), p.shape[-1]), keep=lambda x, new, K: new),
    result_slip("tokens as floating-point numbers: they are integers, a network looks them up in a table.", unmask_step, lambda x: x.double()),
    result_slip("tokens as 32-bit integers: keep the dtype of x_t, int64.", unmask_step, lambda x: x.int()),
    squeezed(unmask_step),
    slip("two mistakes: visible tokens are drawn again, and the chance is t - s.", keep=lambda x, new, K: new, share=lambda t, s: t - s),
    slip("two mistakes: visible tokens are drawn again, and all hidden ones are shown.", keep=lambda x, new, K: new, log_p=values),
    slip("two mistakes: the two chances are swapped, and visible tokens are drawn again.", keep=lambda x, new, K: new, share=lambda t, s: s / t),
]  # fmt: skip

UNMASK_STEP = Check(
    id="11-unmask_step",
    points=4,
    minutes=20,
    level=2,
    reference=unmask_step,
    inputs=inputs,
    fixed=edges,
    evaluations={"model": lambda model, x, *rest: len(x)},
    calls={"model": lambda *args: 1},
    where='section 4 of this notebook ("The way back"): a hidden token stays hidden with the chance s / t, and is shown as k with the chance '
    "(t - s) / t p_k; the draw is the argmax of log p + g (Sahoo et al. 2024, section 3).",
    outputs=("x_s",),
    library=("masked.reverse",),
    mutants=[*VISIBLE, *MASKS, *SHARES, *DRAWS, *MODELS, *RESULTS],
)
