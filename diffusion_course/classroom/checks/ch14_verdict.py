"""What an interval says of a claim: inside of what it allows, outside, or neither."""

from collections.abc import Iterator
from itertools import permutations

import torch
from torch import Tensor

from .ch14_verdict_built import (
    coded,
    each,
    holds_zero,
    inside,
    middle_inside,
    never,
    outside,
    rounded,
    slip,
    two_ends,
    verdict,
)
from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, result_slip

INF = float("inf")


def claims(d: Draw, n: int) -> tuple[Tensor, Tensor]:
    """Claims of every kind: above 0, below 0, above or below a margin, within a margin, between two ends."""
    m = d.uniform(0.2, 0.9, n)
    a, b = m.clone(), m.clone()
    for k in range(n):
        ends = (
            (0.0, INF), (-INF, 0.0), (m[k], INF), (-INF, -m[k]), (-m[k], m[k]), (-0.3 * m[k], 2 * m[k]), (0.1, 0.1 + m[k])
        )[k % 7]  # fmt: skip
        a[k], b[k] = ends
    return a, b


def intervals(d: Draw, n: int) -> tuple[Tensor, Tensor]:
    """Wide and narrow ones, on both sides of 0."""
    middle, half = d.uniform(-1.6, 1.6, n), d.uniform(0.02, 0.7, n)
    return middle - half, middle + half


def table(d: Draw) -> tuple:
    n = 7 * d.integer(17, 23)
    return (*intervals(d, n), *claims(d, n))


def touching(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Where ends meet, where all is one claim, and claims that are far from 0."""

    def rows(*four: tuple[float, float, float, float]) -> tuple:
        return tuple(
            d._place(torch.tensor(column, dtype=torch.float64)) for column in zip(*four, strict=True)
        )

    yield "an end of the interval is an end of the claim", rows(
        (0, 1, 0, INF), (-1, 0, 0, INF), (-0.5, 0.5, -0.5, 0.5), (0.5, 1, -0.5, 0.5), (-1, -0.5, -0.5, 0.5),
        (-0.5, 0.25, -0.5, 0.5), (-0.25, 0.5, -0.5, 0.5), (-1, 0, -INF, 0), (0, 1, -INF, 0), (0.25, 0.25, 0, INF), (0, 0, 0, INF),
    )  # fmt: skip
    yield (
        "an interval that is one point",
        rows((0.25, 0.25, 0, INF), (-0.25, -0.25, 0, INF), (0.1, 0.1, -0.5, 0.5)),
    )
    near = 3e-6
    yield "ends that nearly meet", rows(
        (near, 1, 0, INF), (-near, 1, 0, INF), (-1, -near, 0, INF), (-1, near, 0, INF), (0.25 + near, 0.75 - near, 0.25, 0.75),
        (0.25 - near, 0.7, 0.25, 0.75), (0.3, 0.75 + near, 0.25, 0.75), (0.75 + near, 1, 0.25, 0.75), (0.75 - near, 1, 0.25, 0.75), (0, 0.25 + near, 0.25, 0.75),
    )  # fmt: skip
    hair = 1e-10
    yield "ends that are apart by less than float32 can tell", rows(
        (0.05 + hair, 1, 0.05, INF), (0.05 - hair, 1, 0.05, INF), (-1, 0.05 + hair, 0.05, INF), (-0.05 + hair, 0.05 - hair, -0.05, 0.05), (-1, 1 - hair, -INF, 1),
    )  # fmt: skip
    yield "one row", rows((0.1, 0.2, 0, INF))
    yield "every claim is held up", rows((0.1, 0.2, 0, INF), (-0.1, 0.2, -0.5, 0.5), (-3, -2, -INF, 0))
    yield "no claim is held up", rows((-0.2, -0.1, 0, INF), (0.6, 0.7, -0.5, 0.5), (1, 2, -INF, 0))
    yield (
        "nothing can be said",
        rows(
            (-0.2, 0.1, 0, INF), (-0.7, 0.7, -0.5, 0.5), (-1, 2, -INF, 0), (-2, 0.1, -1, 1), (-0.1, 2, -1, 1)
        ),
    )
    yield (
        "claims far from 0",
        rows(
            (10, 12, 9, INF),
            (10, 12, 9, 13),
            (10, 12, 11, INF),
            (10, 12, 12.5, INF),
            (10, 12, -INF, 9.5),
            (10, 12, 11.5, 11.8),
        ),
    )
    yield "claims far below 0", rows((-12, -10, -INF, -9), (-12, -10, -13, -9), (-12, -10, -11, INF), (-12, -10, -9, INF), (-12, -10, -INF, -12))  # fmt: skip
    yield "differences of shares", rows((-0.013, 0.061, 0, INF), (-0.013, 0.061, -0.05, 0.05), (0.004, 0.041, -0.05, 0.05), (-0.09, -0.052, -0.05, 0.05))  # fmt: skip


VERDICT = Check(
    id="14-verdict",
    points=3,
    minutes=15,
    level=1,
    reference=verdict,
    inputs=table,
    fixed=touching,
    where='section 1 of this notebook ("A claim is a set"): 1 where the whole interval lies inside of the claim, low > claim_low and high < '
    "claim_high; -1 where all of it lies outside, high <= claim_low or low >= claim_high; else 0.",
    outputs=("verdict",),
    recording=False,
    mutants=[
        slip("one end for both: a claim has two ends, and its lower one was not passed is not enough.", held=lambda low, high, a, b: low > a),
        slip("one end for both: below the upper end of the claim is not enough to be inside.", held=lambda low, high, a, b: high < b),
        slip("an interval that overlaps with the claim taken for one that lies inside: all of it must. (Or low and high swapped.)", held=lambda low, high, a, b: (low < b) & (high > a)),
        slip("one end of the interval inside taken for the whole: both ends must be inside of the claim.", held=lambda low, high, a, b: ((low > a) & (low < b)) | ((high > a) & (high < b))),
        slip(
            "a claim that lies inside of the interval taken for held up: it is the interval that must lie inside of the claim. (Or interval and claim swapped.)",
            held=lambda low, high, a, b: (a > low) & (b < high),
        ),
        slip(
            "the middle of the interval in the place of the interval: a number without its chance decides nothing.",
            held=middle_inside,
            not_held=lambda *args: ~middle_inside(*args),
        ),
        slip("the middle of the interval for what is held up: both of its ends must be inside.", held=middle_inside),
        slip("the middle of the interval for what is not held up: both of its ends must be outside.", not_held=lambda *args: ~middle_inside(*args)),
        slip("two verdicts where there are three: one end outside is not all of it outside, and then nothing can be said.", not_held=lambda *args: ~inside(*args)),
        slip("no verdict of -1: what lies outside of the claim, below it *or* above it, contradicts it.", not_held=never),
        slip("no verdict of 1: what lies inside of the claim bears it out.", held=never),
        slip(
            "an interval that holds 0 taken for a refutation: not told apart from 0 is not told to be 0. The ends of the claim decide.",
            not_held=lambda low, high, a, b: (low <= 0) & (high >= 0),
        ),
        slip("a test against 0, in which the claim does not occur: held up is low > claim_low and high < claim_high.", held=lambda low, high, a, b: low > 0, not_held=lambda low, high, a, b: high < 0),
        slip(
            "an interval that holds 0 taken for a proof that two are alike: it may reach far to both sides. All of it must lie within the margin.",
            held=lambda low, high, a, b: torch.where(two_ends(a, b), holds_zero(low, high), inside(low, high, a, b)),
            not_held=lambda low, high, a, b: torch.where(two_ends(a, b), ~holds_zero(low, high), outside(low, high, a, b)),
        ),
        slip(
            "an interval that holds 0 taken for a proof that two are alike, where the claim has two ends: all of it must lie within the margin.",
            held=lambda low, high, a, b: torch.where(two_ends(a, b), holds_zero(low, high), inside(low, high, a, b)),
        ),
        Mutant("an interval that holds 0 taken for one that says nothing: the ends of the claim decide, and 0 may be inside of it, or outside.", lambda low, high, a, b: torch.where(holds_zero(low, high), 0, verdict(low, high, a, b))),
        slip("0 in the place of the claim's ends: held up is low > claim_low and high < claim_high.", held=lambda low, high, a, b: low > 0),
        slip("0 in the place of the claim's ends, on either side: held up is low > claim_low and high < claim_high.", held=lambda low, high, a, b: (low > 0) | (high < 0)),
        slip("0 in the place of the claim's ends: not held up is high <= claim_low or low >= claim_high.", not_held=lambda low, high, a, b: high <= 0),
        slip("outside below the claim alone: above it is outside, too.", not_held=lambda low, high, a, b: high <= a),
        slip("outside above the claim alone: below it is outside, too.", not_held=lambda low, high, a, b: low >= b),
        slip("low compared with claim_low, and high with claim_high, for what is outside: it is high <= claim_low or low >= claim_high.", not_held=lambda low, high, a, b: ((low <= a) & (high <= b)) | ((low >= a) & (high >= b))),
        slip("the wrong ends compared: outside is high <= claim_low or low >= claim_high.", not_held=lambda low, high, a, b: (low <= a) & (high >= b)),
        slip(
            "the claim's ends counted as the claim's, with >= and <=: a difference of exactly 0 is no gain. The ends do not belong to it.",
            held=lambda low, high, a, b: (low >= a) & (high <= b),
        ),
        slip(
            "the claim's ends counted as the claim's, with < and >: an interval that only touches the claim lies outside of it.",
            not_held=lambda low, high, a, b: (high < a) | (low > b),
        ),
        slip(
            "a claim that is the same on both sides of 0: with |low| and |high| below claim_high the lower end is never asked.",
            held=lambda low, high, a, b: torch.maximum(low.abs(), high.abs()) < b,
        ),
        slip(
            "the claim's ends counted as the claim's in both rules: a difference of exactly 0 is no gain. The ends do not belong to it.",
            held=lambda low, high, a, b: (low >= a) & (high <= b),
            not_held=lambda low, high, a, b: (high < a) | (low > b),
        ),
        slip(
            "0 in the place of the claim's ends for what cannot be said: what is neither inside nor outside of the claim.",
            not_held=lambda low, high, a, b: (low >= 0) | (high <= 0),
        ),
        slip(
            "an interval that reaches over both ends of the claim taken for one outside: a part of it lies inside.",
            not_held=lambda low, high, a, b: ~(((low > a) & (low < b)) | ((high > a) & (high < b))),
        ),
        Mutant(
            "`or` for `and`: inside is low > claim_low *and* high < claim_high.",
            lambda low, high, a, b: ((low > a) | (high < b)).long() - outside(low, high, a, b).long(),
        ),
        slip("most of the interval inside taken for the whole: both of its ends must be inside of the claim.", held=lambda low, high, a, b: (torch.minimum(high, b) - torch.maximum(low, a)) > (high - low) / 2),
        slip("the width of the interval compared with the width of the claim: where it lies decides.", held=lambda low, high, a, b: high - low < b - a),
        Mutant("the first row's claim for all rows: each row has its own.", lambda low, high, a, b: verdict(low, high, a[:1], b[:1]), (lambda low, high, a, b: verdict(low[:1], high[:1], a, b),)),
        Mutant("an infinite end of a claim taken for 0: it may be a margin that lies at the other end.", lambda low, high, a, b: verdict(low, high, a.nan_to_num(neginf=0.0), b.nan_to_num(posinf=0.0))),
        Mutant(
            "a claim that is symmetric, from -claim_high to claim_high: its lower end may be another one.",
            lambda low, high, a, b: verdict(low, high, torch.where(two_ends(a, b), -b, a), b),
            (lambda low, high, a, b: verdict(low, high, a, torch.where(two_ends(a, b), -a, b)),),
        ),
        Mutant(
            "a claim with one end taken for 'above 0' or 'below 0': its end may be a margin.",
            lambda low, high, a, b: verdict(low, high, torch.where(b.isinf(), 0.0, a), torch.where(a.isinf(), 0.0, b)),
            (lambda low, high, a, b: verdict(low, high, torch.where(b.isinf(), 0.0, a), b), lambda low, high, a, b: verdict(low, high, a, torch.where(a.isinf(), 0.0, b))),
        ),
        Mutant("float32 numbers compared: take them as they are given.", each(lambda v: v.float())),
        Mutant("numbers that are rounded before they are compared.", rounded(3), tuple(map(rounded, (1, 2, 4, 5)))),
        Mutant("an interval without width, low = high, taken for one that says nothing: it is judged as any other.", lambda low, high, a, b: torch.where(low == high, 0, verdict(low, high, a, b))),
        Mutant("an interval without width on an end of the claim taken for one inside: the ends do not belong to the claim.", lambda low, high, a, b: torch.where((low == high) & (low >= a) & (high <= b), 1, verdict(low, high, a, b))),
        Mutant("the claim's two ends swapped.", lambda low, high, a, b: verdict(low, high, b, a)),
        argument_slip("the claim's lower end with the other sign.", verdict, "claim_low", torch.neg),
        argument_slip("the claim's lower end left out: it may be a margin below 0, or above.", verdict, "claim_low", torch.zeros_like),
        result_slip("1 and -1 swapped: 1 is held up, -1 is not.", verdict, torch.neg),
        Mutant(
            "0, 1, 2 for the three verdicts: they are -1, 0 and 1.",
            lambda *four: verdict(*four) + 1,
            tuple(coded("", codes).function for codes in permutations(range(3))),
        ),
        coded("1 in both cases: held up is 1, not held up is -1. (Or two masks added: take their difference.)", (1, 1, 0)),
        coded("bytes: 0 - 1 is 255 in uint8, as a mask's .byte() is; make int64 of the masks first.", (1, 255, 0)),
        coded("0 for not held up and -1 for what cannot be said: the other way round.", (1, 0, -1)),
        result_slip("one verdict for the whole table: each row has its own.", verdict, lambda v: v.min()),
        result_slip("held up or not, as True and False: there are three verdicts, 1, -1 and 0.", verdict, lambda v: v == 1),
    ],
)  # fmt: skip
