"""Caption dropout: the whole caption of a sample, or none of it."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch06_classifier import number
from .data import Check, Mutant
from .inputs import Draw
from .slips import result_slip, squeezed


def caption_dropout(tokens: Tensor, u: Tensor, p: float, empty: Tensor) -> Tensor:
    return torch.where((u < p)[:, None], empty, tokens)


def mask_slip(hint: str, mask: Callable) -> Mutant:
    """A mutant that drops where mask(u, p) holds."""
    return Mutant(hint, lambda tokens, u, p, empty: torch.where(mask(u, p)[:, None], empty, tokens))


def filled_slip(hint: str, fill: Callable) -> Mutant:
    """A mutant that puts fill(tokens, empty) in the place of dropped captions."""
    return Mutant(
        hint, lambda tokens, u, p, empty: torch.where((u < p)[:, None], fill(tokens, empty), tokens)
    )


def moved_up(tokens: Tensor, keep: Tensor, empty: Tensor) -> Tensor:
    """The first captions, as many as are kept, in the rows of those that are."""
    left = empty.repeat(len(tokens), 1)
    left[keep] = tokens[: int(keep.sum())]
    return left


def integers(d: Draw, low: int, high: int, *shape: int) -> Tensor:
    return (low + d.uniform(0, 1, *shape).double() * (high + 1 - low)).long().clamp(max=high)


def captions(d: Draw) -> tuple:
    """Words, then zeros that fill up; an empty caption of two other tokens; one caption is kept, one dropped (a single one is dropped)."""
    L, p = 2 + d.size(), number(d, 0.3, 0.45)
    tokens = integers(d, 11, 60, d.B, L)
    tokens[:, -1] = 0
    empty = torch.tensor([70, *[0] * (L - 2), 71], device=d.device)
    u = d.uniform(0, 1, d.B)
    u[-1] = p + (1 - p) * u[-1]
    u[0] = p * u[0]
    return tokens, u, p, empty


def edges(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Both ends of p, numbers equal to it, as many captions as tokens, and CLIP's tokens."""
    tokens = integers(d, 0, 30, 6, 4)
    u = torch.tensor([0.0, 0.1, 0.25, 0.5, 0.999, 0.123], dtype=d.dtype, device=d.device)
    empty = torch.tensor([31, 0, 0, 32], device=d.device)
    for p in (0, 0.0, 0.1, 0.125, 0.25, 0.5, 1, 1.0):
        yield f"p = {p}", (tokens, u, p, empty)
    yield "as many captions as tokens", (tokens[:4], u[:4], 0.2, empty)
    yield "one caption, u = p", (tokens[:1], u[2:3], 0.25, empty)
    yield "one caption, dropped", (tokens[:1], u[:1], 0.25, empty)
    near = torch.tensor([0.25, 0.25, 0.9, 0.25], dtype=d.dtype, device=d.device) - 1e-5
    yield "u just below p", (tokens[:4], near, 0.25, empty)
    yield "an empty caption of zeros", (tokens + 1, u, 0.25, 0 * empty)
    clip = integers(d, 400, 49405, 6, 7)
    clip[:, 0], clip[:, -1] = 49406, 49407
    none = torch.tensor([49406, *[49407] * 6], device=d.device)
    yield "the tokens of CLIP", (clip, u, 0.25, none)


CAPTION_DROPOUT = Check(
    id="13-caption_dropout",
    points=2,
    minutes=5,
    level=1,
    reference=caption_dropout,
    inputs=captions,
    fixed=edges,
    where='section 3 of this notebook ("Guidance by text"): row i becomes the empty caption where u_i < p, all L tokens of it.',
    outputs=("tokens",),
    mutants=[
        # which captions
        mask_slip(
            "captions dropped with probability 1 - p: u < p happens with probability p.",
            lambda u, p: u > p,
        ),
        mask_slip("u < 1 - p: that happens with probability 1 - p.", lambda u, p: u < 1 - p),
        mask_slip(
            "u > 1 - p, which has the right probability, but selects other captions: drop where u < p.",
            lambda u, p: u > 1 - p,
        ),
        mask_slip(
            "captions kept where u < p: there they are dropped (are the branches of torch.where swapped?).",
            lambda u, p: u >= p,
        ),
        mask_slip(
            "u <= p: a number equal to p is not below it, and p = 0 drops no caption.", lambda u, p: u <= p
        ),
        mask_slip("u < 0.1 whatever p is: compare with p.", lambda u, p: u < 0.1),
        mask_slip(
            "one decision for the whole batch, by the first number: each caption has its own u.",
            lambda u, p: (u < p)[:1].expand_as(u),
        ),
        mask_slip(
            "one decision for the whole batch, by the mean of u: each caption has its own.",
            lambda u, p: (u.mean() < p).expand_as(u),
        ),
        *(
            mask_slip(
                f"a fixed share of the batch dropped, p B of them {how}, the smallest u: each caption is dropped by itself, where u < p.",
                lambda u, p, whole=whole: u.argsort().argsort() < whole(p * len(u)),
            )
            for how, whole in (("cut off", int), ("rounded", round), ("rounded up", math.ceil))
        ),
        mask_slip(
            "the first dropped caption alone replaced: does the loop end there? All with u < p are.",
            lambda u, p: (u < p) & ((u < p).cumsum(0) == 1),
        ),
        mask_slip(
            "the last caption kept whatever its u is: a loop over all of them is range(len(u)).",
            lambda u, p: (u < p) & (torch.arange(len(u), device=u.device) < len(u) - 1),
        ),
        mask_slip(
            "the first caption kept whatever its u is: a loop over all of them is range(len(u)).",
            lambda u, p: (u < p) & (torch.arange(len(u), device=u.device) > 0),
        ),
        mask_slip(
            "a caption that is kept where all should be dropped: all of a batch may be, above all of one caption.",
            lambda u, p: (u < p) & ~((u < p).all() & (torch.arange(len(u), device=u.device) == 0)),
        ),
        mask_slip(
            "p rounded to a tenth: compare u with p as it is.", lambda u, p: u < round(float(p), 1)
        ),
        mask_slip(
            "a mask moved by one caption: caption i is dropped where u[i] < p.", lambda u, p: (u < p).roll(1)
        ),
        mask_slip("every caption dropped: only where u < p.", lambda u, p: u == u),
        mask_slip("no caption dropped.", lambda u, p: u != u),
        Mutant(
            "u without an axis for the tokens: (B,) against (B, L) is compared with the columns; give the mask the shape (B, 1).",
            lambda tokens, u, p, empty: torch.where(u < p, empty, tokens),
        ),
        # what stands there then
        filled_slip(
            'zeros for the empty caption: how an encoder writes "no text" is its own matter, use `empty`.',
            lambda tokens, empty: torch.zeros_like(tokens),
        ),
        filled_slip(
            "the first token of `empty` in all places: it is a caption, of L tokens.",
            lambda tokens, empty: empty[:1].expand_as(tokens),
        ),
        filled_slip(
            "the last token of `empty` in all places: it is a caption, of L tokens.",
            lambda tokens, empty: empty[-1:].expand_as(tokens),
        ),
        filled_slip(
            "`empty` backwards: it is put in as it is.", lambda tokens, empty: empty.flip(0).expand_as(tokens)
        ),
        filled_slip(
            "-1 for the empty caption: use `empty`.", lambda tokens, empty: torch.full_like(tokens, -1)
        ),
        filled_slip(
            "another caption of the batch in the place of a dropped one: that teaches a wrong text, not what to answer without one.",
            lambda tokens, empty: tokens.roll(1, 0),
        ),
        filled_slip(
            "the words of a dropped caption mixed up: all of it becomes `empty`.",
            lambda tokens, empty: tokens.flip(1),
        ),
        filled_slip(
            "the first token alone replaced: the whole caption becomes `empty`.",
            lambda tokens, empty: torch.cat([empty[:1].expand(len(tokens), 1), tokens[:, 1:]], 1),
        ),
        filled_slip(
            "words dropped and the tokens 0 kept: the whole caption becomes `empty`.",
            lambda tokens, empty: torch.where(tokens == 0, tokens, empty),
        ),
        filled_slip(
            "`empty` added to the caption: put it in the caption's place.",
            lambda tokens, empty: tokens + empty,
        ),
        Mutant(
            "the kept captions moved up, one after the other: each stays in its row.",
            lambda tokens, u, p, empty: moved_up(tokens, u >= p, empty),
        ),
        Mutant(
            "`empty` added to every row: put it in the place of the dropped ones alone.",
            lambda tokens, u, p, empty: tokens * (u >= p)[:, None] + empty,
        ),
        Mutant(
            "tokens multiplied by the mask u < p: that leaves zeros, and in the captions that are to be kept; the dropped ones, u < p, become `empty`.",
            lambda tokens, u, p, empty: tokens * (u < p)[:, None],
        ),
        # another result
        Mutant(
            "the dropped captions removed: keep all B rows, and replace those.",
            lambda tokens, u, p, empty: tokens[u >= p],
        ),
        Mutant(
            "the dropped captions alone: return all B rows, the kept ones too.",
            lambda tokens, u, p, empty: caption_dropout(tokens, u, p, empty)[u < p],
        ),
        Mutant("the condition itself: return the tokens.", lambda tokens, u, p, empty: u < p),
        result_slip(
            "tokens as floating-point numbers: an embedding is indexed by integers.",
            caption_dropout,
            lambda tokens: tokens.float(),
        ),
        squeezed(caption_dropout),
    ],
)  # fmt: skip
