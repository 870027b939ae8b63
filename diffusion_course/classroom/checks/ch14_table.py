"""A table of paired comparisons: rows of marks from the same noise against one of them, with McNemar's p, corrected by Holm."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from .ch14_table_built import (
    F64,
    base_first,
    below,
    below_one,
    beside_the_last,
    both_ways,
    built,
    chi_squared,
    ends_at_5_percent,
    exact_up_to_100,
    factors,
    falling,
    false_discovery,
    halves,
    holm,
    in_order,
    of_rows,
    paired_table,
    ranks_of_values,
    slip,
    step_up,
    tail,
    unpaired,
    with_base,
    without_first,
)  # fmt: skip
from .data import Check, Mutant
from .inputs import Draw
from .slips import result_slip


def rows(d: Draw, K: int, n: int, shares: tuple[float, float] = (0.3, 0.95)) -> Tensor:
    """Marks (K, n) of samplers that share what is hard: a noise is recognised where a number is below a share of the sampler's own."""
    hard = d.uniform(0, 1, n).double()
    own = d.uniform(0, 1, K, n).double()
    share = d.uniform(*shares, K, 1).double()
    follow = d.uniform(0, 1, K, n).double() < 0.6
    return (torch.where(follow, hard, own) < share).double()


def case(d: Draw) -> tuple:
    K = d.integer(6, 9)
    return rows(d, K, d.integer(40, 70)), d.integer(1, K - 2)


def tables(d: Draw) -> Iterator[tuple[str, tuple]]:
    """As the chapter has them, and where slips show: the first row and the last as base, rows alike, no row that differs, long rows."""
    yield "the base is the first row", (rows(d, 7, 60), 0)
    yield "the base is the last row", (rows(d, 7, 60), 6)
    yield "samplers that are nearly alike", (rows(d, 6, 50, (0.6, 0.68)), 2)
    yield "samplers that differ much", (rows(d, 6, 50, (0.1, 0.98)), 3)
    alike = rows(d, 5, 40)
    alike[3] = alike[1]
    yield "a row that is the base again", (alike, 1)
    yield "all rows are alike", (alike[1].expand(4, -1).clone(), 2)
    both = rows(d, 2, 45)
    yield "two rows", (both, 1)
    balanced = torch.zeros(3, 20, dtype=F64, device=d.device)
    balanced[0, :4], balanced[1, 4:8], balanced[2, :5] = 1, 1, 1
    yield "as many to one side as to the other", (balanced, 1)
    yield "as many to one side as to the other, and one more", (balanced, 0)
    yield "1,500 samples", (rows(d, 4, 1500, (0.8, 0.9)), 1)
    yield (
        "a row that is far better",
        (torch.stack([d.uniform(0, 1, 200).double() < share for share in (0.1, 0.97)]).double(), 0),
    )
    yield "ten samples", (rows(d, 6, 10), 4)
    twins = torch.ones(4, 60, dtype=F64, device=d.device)
    twins[1:3, :9], twins[3, :8] = 0, 0
    yield "two rows with the same marks", (twins, 0)
    many = torch.ones(2, 1300, dtype=F64, device=d.device)
    many[0, :560], many[1, 560:1100] = 0, 0
    yield "more than a thousand samples on which the two differ", (many, 1)


PAIRED_TABLE = Check(
    id="14-paired_table",
    points=5,
    minutes=30,
    level=2,
    reference=paired_table,
    inputs=case,
    fixed=tables,
    where='section 3 of this notebook ("Report 2: three solvers"): for each row but the base the difference of the shares, row minus base; McNemar\'s p, '
    "min(1, 2 sum_{k <= min(n10, n01)} binomial(n10 + n01, k) / 2^(n10 + n01)); and Holm's correction of these p, in the order of the rows.",
    outputs=("difference", "p", "corrected"),
    only={
        "corrected": "The differences and the p values are right, so the pairs are, too; look at the correction.",
        ("p", "corrected"): "The differences are right, so the rows and the base are, too; look at p.",
        "difference": "The p values are right, so the pairs are, too; look at the difference of the shares.",
    },
    recording=False,
    library=("experiments.intervals.mcnemar", "experiments.intervals.holm"),
    mutants=[
        # the pairs
        slip("base minus row: the difference is that of the row, minus that of the base.", change=lambda a, b: (b - a).mean()),
        slip("counts for shares: the difference is a mean over the samples.", change=lambda a, b: (a - b).sum()),
        slip("the share of samples on which the two differ: the difference has a sign.", change=lambda a, b: (a - b).abs().mean()),
        slip("a mean over those samples alone on which the two differ.", change=lambda a, b: (a - b).sum() / (a - b).abs().sum().clamp(min=1)),
        slip("the row's own share in the place of the difference.", change=lambda a, b: a.mean()),
        slip("a ratio of the shares: take their difference.", change=lambda a, b: a.mean() / b.mean().clamp(min=1e-9)),
        slip("a difference as a share of the base's: row minus base, no more.", change=lambda a, b: (a - b).mean() / b.mean().clamp(min=1e-9)),
        slip("half of the difference: the base's share is taken away, not the mean of both.", change=lambda a, b: (a - b).mean() / 2),
        Mutant("the mean of all rows in the place of the base's share.", lambda marks, base: ((table := built(marks, base))[0] + marks[base].mean() - marks.mean(), *table[1:])),
        Mutant("a mean over the samplers, dim 0: the share of a row is a mean over its samples.", lambda marks, base: (marks.mean(0) - marks[base], *built(marks, base)[1:])),
        slip("per cent for shares.", change=lambda a, b: 100 * (a - b).mean()),
        slip("the first row as base, whatever base is.", against=lambda k, base, K: 0),
        slip("the last row as base, whatever base is.", against=lambda k, base, K: K - 1),
        slip("each row compared with the one before it: all are compared with the base.", against=lambda k, base, K: k - 1),
        slip("each row compared with the next one: all are compared with the base.", against=lambda k, base, K: (k + 1) % K),
        Mutant("the first row as base, and all others compared with it, whatever base is.", lambda marks, base: paired_table(marks, 0)),
        Mutant("the last row as base, and all others compared with it, whatever base is.", lambda marks, base: paired_table(marks, len(marks) - 1)),
        Mutant("row 0 left out in the place of the base: all rows but row number `base` are compared with it.", without_first),
        Mutant("the rows in another order, with row 0 in the base's place: they keep the order that they have in `marks`.", base_first),
        slip("base counted from 1: rows are counted from 0.", against=lambda k, base, K: base - 1),
        # p
        slip("a one-sided p: either of the two may be the better one, so it is doubled.", p_value=lambda a, b, n: below(min(a, b), a + b)),
        slip("a one-sided p, of the row being the better one: either of the two may be, so double the smaller tail.", p_value=lambda a, b, n: below(b, a + b)),
        slip("a one-sided p, of the row being the worse one: either of the two may be, so double the smaller tail.", p_value=lambda a, b, n: below(a, a + b)),
        slip("a p that exceeds 1 where the two are even: min(1, ...).", p_value=lambda a, b, n: 2 * below(min(a, b), a + b)),
        slip("the samples that only the row got right as the bound of the sum: it is the smaller of the two counts.", p_value=lambda a, b, n: min(1.0, 2 * below(a, a + b))),
        slip("the samples that only the base got right as the bound of the sum: it is the smaller of the two counts.", p_value=lambda a, b, n: min(1.0, 2 * below(b, a + b))),
        slip("the larger of the two counts as the bound of the sum.", p_value=lambda a, b, n: min(1.0, 2 * below(max(a, b), a + b))),
        slip("a sum that ends one term early: k runs to min(n10, n01), which belongs to it.", p_value=lambda a, b, n: min(1.0, 2 * below(min(a, b) - 1, a + b))),
        slip("a sum that begins with k = 1: it begins with k = 0.", p_value=lambda a, b, n: min(1.0, 2 * (below(min(a, b), a + b) - below(0, a + b)))),
        slip("2^N for 2^(n10 + n01): only the samples on which the two differ are tossed.", p_value=lambda a, b, n: min(1.0, tail(a, b, n) * 2.0 ** (a + b - n)) if n < 1000 else tail(a, b, n)),
        slip("the power of 2 taken twice: 2^-(n10 + n01) is a division by 2^(n10 + n01).", p_value=lambda a, b, n: below(min(a, b), a + b) * 2.0 ** (1 - a - b)),
        Mutant("all ones of the row, and all of the base, for n10 and n01: count the samples that only one of them got right.", of_rows(lambda a, b: tail(int(a.sum()), int(b.sum()), len(a)))),
        Mutant("the samples that both got right, and those that both got wrong, for n10 and n01: count those that only one of them got right.", of_rows(both_ways)),
        Mutant("samples without a difference given to both sides by halves: they toss no coin.", of_rows(halves)),
        Mutant("a test of two independent shares: the rows began with the same noise, so compare them sample by sample.", of_rows(unpaired)),
        slip("the normal approximation where many differ: the sum is exact for any number.", p_value=exact_up_to_100),
        slip("one term in the place of the sum.", p_value=lambda a, b, n: min(1.0, 2 * math.comb(a + b, min(a, b)) / 2 ** (a + b))),
        slip("a mid-p, with half of the last term.", p_value=lambda a, b, n: min(1.0, 2 * below(min(a, b), a + b) - math.comb(a + b, min(a, b)) / 2 ** (a + b))),
        slip("all samples in the place of those on which the two differ: where both are right, or both wrong, no coin is tossed.", p_value=lambda a, b, n: min(1.0, 2 * below(min(a, b), n))),
        slip("the normal approximation, (n10 - n01) / sqrt(n10 + n01): the exact sum is asked for.", p_value=chi_squared),
        slip("McNemar's chi-squared with its continuity correction: the exact sum is asked for.", p_value=lambda a, b, n: chi_squared(a, b, n, 1.0)),
        slip("p = 0 where the two never differ: nothing speaks against equality there, so p = 1.", p_value=lambda a, b, n: tail(a, b, n) if a + b else 0.0),
        slip("NaN where the two never differ: the sum is 1 there, and p = 1.", p_value=lambda a, b, n: tail(a, b, n) if a + b else math.nan),
        slip("1 - p.", p_value=lambda a, b, n: 1 - tail(a, b, n)),
        # Holm
        slip("no correction: a table of many comparisons finds something where there is nothing.", correct=lambda p, m: p.clone()),
        slip("Bonferroni's correction, every p times m: Holm's multiplies the smallest by m, the next by m - 1, and so on.", correct=lambda p, m: (p * m).clamp(max=1)),
        slip("Bonferroni's correction, and above 1: Holm's multiplies the smallest by m, the next by m - 1, and so on, and ends at 1.", correct=lambda p, m: p * m),
        slip("p doubled before the correction, 2 m p, 2 (m - 1) p, ...: the smallest is multiplied by m, and p is two-sided already.", correct=lambda p, m: holm((2 * p).clamp(max=1), m)),
        slip("factors by the order of the rows, without cummax: p is sorted first.", correct=lambda p, m: (p * factors(m, len(p))).clamp(max=1)),
        slip("p sorted and multiplied, and no more: cut at 1, let none fall below the one before it, and put them back to their rows.", correct=lambda p, m: p.sort().values * factors(m, len(p))),
        slip("argsort taken for the rank: p.argsort() says which row is the smallest, not the how-many-eth a row is.", correct=lambda p, m: (p * (m - p.argsort())).clamp(max=1)),
        slip("Hochberg's correction, from the largest p down: Holm's goes from the smallest up.", correct=step_up),
        slip("Benjamini and Hochberg's, which bounds the share of false findings: Holm's bounds the chance of any.", correct=false_discovery),
        slip("Šidák's, 1 - (1 - p)^m.", correct=lambda p, m: 1 - (1 - p) ** m),
        slip("Holm's with powers, 1 - (1 - p)^(m - rank): multiply.", correct=in_order(lambda p, m: (1 - (1 - p) ** factors(m, len(p))).cummax(0).values)),
        slip("a corrected p below the one before it: none may be (cummax).", correct=in_order(lambda p, m: (p * factors(m, len(p))).clamp(max=1))),
        slip("a corrected p above 1.", correct=in_order(lambda p, m: (p * factors(m, len(p))).cummax(0).values)),
        slip("a corrected p above 1, and none below the one before it.", correct=in_order(lambda p, m: p * factors(m, len(p)))),
        slip("the factors turned round: the smallest p is multiplied by m, the largest by 1.", correct=in_order(lambda p, m: (p * torch.arange(1, len(p) + 1)).clamp(max=1).cummax(0).values)),
        slip("factors from m - 1 down: the smallest p is multiplied by m.", correct=in_order(lambda p, m: (p * factors(m - 1, len(p))).clamp(max=1).cummax(0).values)),
        slip("the smallest p multiplied by m, and the next one, too: the factors are m, m - 1, ..., 1.", correct=in_order(lambda p, m: (p * factors(m + 1, len(p)).clamp(max=m)).clamp(max=1).cummax(0).values)),
        slip("equal p taken for one: each row is a comparison of its own.", correct=ranks_of_values),
        slip("those p alone counted that are below 1: m is the number of all comparisons.", correct=below_one),
        slip("1 for all p after the first that is above 0.05: each has its corrected p.", correct=ends_at_5_percent),
        slip("each compared with the one before it alone: none may be below *any* before it (cummax).", correct=in_order(lambda p, m: beside_the_last((p * factors(m, len(p))).clamp(max=1)))),
        slip("the base counted among the comparisons: m is the number of p values.", correct=lambda p, m: holm(p, m + 1)),
        slip("p sorted from the largest down: the smallest is multiplied by m.", correct=lambda p, m: -holm(-p, m) if len(p) < 2 else falling(p, m)),
        slip("corrected p in sorted order: they belong to their rows.", correct=lambda p, m: holm(p, m).sort().values),
        slip("corrected p in another order, read at `order` where they are to be written there.", correct=lambda p, m: holm(p, m).sort().values[p.argsort(stable=True)]),
        slip("factors by the order of the rows: p is sorted first.", correct=lambda p, m: (p * factors(m, len(p))).clamp(max=1).cummax(0).values),
        slip("cummin for cummax: none may end below the one before it.", correct=in_order(lambda p, m: (p * factors(m, len(p))).clamp(max=1).cummin(0).values)),
        # results
        Mutant("p in sorted order: they belong to their rows.", lambda marks, base: ((table := built(marks, base))[0], table[1].sort().values, table[2].sort().values)),
        result_slip("p and corrected swapped.", paired_table, lambda r: (r[0], r[2], r[1])),
        result_slip("difference and p swapped.", paired_table, lambda r: (r[1], r[0], r[2])),
        result_slip("the corrected p alone: return (difference, p, corrected).", paired_table, lambda r: r[2]),
        result_slip("difference and corrected p alone: return (difference, p, corrected).", paired_table, lambda r: (r[0], r[2])),
        Mutant("the base among its own comparisons: it has no row.", lambda marks, base: with_base(marks, base)),
    ],
)  # fmt: skip
