"""Chapter 14: other right answers, the same from the library; and of the task that a person marks, what its check sees."""

import math

import numpy as np
import pytest
import torch

from diffusion_course.classroom.checks import CHECKS, OPEN, CheckFailed, NotDone, check, check_all, examine
from diffusion_course.classroom.checks.ch14_plan_built import built
from diffusion_course.classroom.checks.engine import cases
from diffusion_course.experiments import intervals

# ---- a verdict


def verdict_row_by_row(low, high, claim_low, claim_high):
    found = []
    for a, b, c, d in zip(*(v.tolist() for v in (low, high, claim_low, claim_high)), strict=True):
        if c < a and b < d:
            found.append(1)
        elif b <= c or d <= a:
            found.append(-1)
        else:
            found.append(0)
    return torch.tensor(found, dtype=torch.int64)


def verdict_by_subtraction(low, high, claim_low, claim_high):
    held = (low > claim_low) & (high < claim_high)
    apart = (high <= claim_low) | (low >= claim_high)
    return held.to(torch.int64) - apart.to(torch.int64)


def verdict_by_masks(low, high, claim_low, claim_high):
    result = torch.zeros(low.shape, dtype=torch.long)
    result[torch.minimum(low - claim_low, claim_high - high) > 0] = 1
    result[torch.maximum(claim_low - high, low - claim_high) >= 0] = -1
    return result


# ---- a table of pairs


def table_by_numpy(marks, base):
    x = marks.numpy()
    rest = [k for k in range(len(x)) if k != base]
    d = x[rest] - x[base]
    only_a, only_b = (d > 0).sum(1), (d < 0).sum(1)
    p = []
    for a, b in zip(only_a.tolist(), only_b.tolist(), strict=True):
        terms = [math.comb(a + b, k) for k in range(min(a, b) + 1)]
        p.append(min(1.0, 2 * sum(terms) / 2 ** (a + b)))
    p = np.array(p)
    corrected, least, m = np.empty_like(p), 0.0, len(p)
    for rank, row in enumerate(np.argsort(p, kind="stable")):
        least = max(least, min(1.0, (m - rank) * p[row]))
        corrected[row] = least
    return torch.tensor(d.mean(1)), torch.tensor(p), torch.tensor(corrected)


def table_by_definition(marks, base):
    """Holm's as a maximum over all smaller p: max of (number of p that are not smaller) p."""
    from scipy import stats

    others = torch.cat([marks[:base], marks[base + 1 :]])
    b = marks[base]
    p = []
    for a in others:
        wins, losses = int((a > b).sum()), int((a < b).sum())
        p.append(float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0)
    p = torch.tensor(p, dtype=torch.float64)
    adjusted = [min(1.0, max(int((p >= q).sum()) * q.item() for q in p if q <= mine)) for mine in p]
    return [others.mean(1) - b.mean(), p, torch.tensor(adjusted, dtype=torch.float64)]


def table_by_the_library(marks, base):
    text = ["".join("01"[int(m)] for m in row) for row in marks]
    rest = [k for k in range(len(marks)) if k != base]
    p = {k: intervals.mcnemar(text[k], text[base]) for k in rest}
    corrected = intervals.holm(p)
    difference = torch.stack([marks[k].mean() - marks[base].mean() for k in rest])
    return difference, *(torch.tensor([v[k] for k in rest], dtype=torch.float64) for v in (p, corrected))


# ---- the cheapest plan


def plan_by_tensors(tau, s, train, draw, half, quantiles):
    S = torch.arange(2, len(quantiles) + 2, dtype=torch.float64)
    left = S * half**2 / quantiles**2 - tau**2
    n = (s**2 / left.clamp(min=1e-30)).ceil().clamp(min=1)
    cost = torch.where(left > 0, S * train + S * n * draw, torch.inf)
    best = cost.argmin()
    return S[best].long(), n[best].long()


def plan_by_search(tau, s, train, draw, half, quantiles):
    """Halving the number of samples in question, with the half width itself."""
    best = None
    for i, q in enumerate(quantiles.tolist()):
        S = i + 2

        def width(n, S=S, q=q):
            return q * math.sqrt((tau**2 + s**2 / n) / S)

        low, high = 0, 2**40
        if width(high) > half:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if width(middle) <= half else (middle, high)
        cost = S * (train + high * draw)
        if best is None or cost < best[0]:
            best = (cost, S, high)
    return torch.tensor(best[1]), torch.tensor(best[2])


def test_no_case_of_the_plan_is_within_rounding_of_another_answer():
    """Neither of another whole number of samples, nor of another number of seeds."""
    for seed in range(30):
        for tau, s, train, draw, half, q in cases(CHECKS["14-cheapest_plan"], seed):
            if (tau, s, half) == (
                0.0,
                4.0,
                1.0,
            ):  # all in powers of two, on which no order of operations rounds
                continue
            want = built(tau, s, train, draw, half, q)
            for change in (1 - 1e-10, 1 + 1e-10):
                assert built(tau, s, train, draw, half * change, q) == want
                assert built(tau, s, train * change, draw, half, q) == want


@pytest.mark.parametrize(
    ("exercise", "answer", "words"),
    [
        ("14-verdict", lambda *args: verdict_row_by_row(*args).double(), "dtype float64, want int64"),
        ("14-verdict", lambda low, high, a, b: verdict_by_masks(low.sub_(0), high, a, b).tolist(), "list"),
        ("14-cheapest_plan", lambda *args: [int(v) for v in plan_by_search(*args)], "Python number"),
        ("14-paired_table", lambda m, b: table_by_numpy(m, b)[0], "want a tuple"),
        ("14-paired_table", lambda m, b: (*table_by_numpy(m, b)[:2], table_by_numpy(m, b)[2] ** 2), "look at the correction"),
        ("14-cheapest_plan", lambda *args: (plan_by_search(*args)[0], plan_by_search(*args)[1] + 7), "look at the number of samples"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(exercise, answer, words):
    with pytest.raises(CheckFailed, match=words):
        examine(CHECKS[exercise], answer)


def no_plan(first):
    """A search by a wrong formula, tau for tau^2, which finds no plan in some cases; first: what it does with the list of plans."""

    def answer(tau, s, train, draw, half, quantiles):
        plans = []
        for S, q in enumerate(quantiles.tolist(), 2):
            left = S * half**2 / q**2 - tau
            if left > 0:
                n = max(1, math.ceil(s**2 / left))
                plans.append((S * (train + n * draw), S, n))
        return tuple(map(torch.tensor, first(plans)[1:]))

    return answer


@pytest.mark.parametrize("first", [min, lambda plans: min(plans, default=(0, 0, 0))])
def test_a_mistake_is_known_whatever_it_does_where_it_finds_no_plan(first):
    with pytest.raises(CheckFailed) as caught:
        examine(CHECKS["14-cheapest_plan"], no_plan(first))
    assert caught.value.diagnosis.startswith("tau without its square")


def test_a_few_counts_are_not_explained_by_chance():
    def plan(tau, s, train, draw, half, quantiles):
        if tau == 0:  # "then two will do"
            quantiles = quantiles[:1]
        return plan_by_search(tau, s, train, draw, half, quantiles)

    with pytest.raises(CheckFailed, match="wrong only on: training has no chance") as caught:
        examine(CHECKS["14-cheapest_plan"], plan)
    assert "looks like" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        lambda *args: verdict_row_by_row(*args).tolist(),
        lambda low, high, a, b: verdict_row_by_row(low, high, a[:1].expand_as(a), b),
        lambda low, high, a, b: 2 - verdict_row_by_row(low, high, a, b),
    ],
)
def test_nothing_is_said_that_is_not_so(answer):
    """Of a list that is right but for its form no mistake is told, of used arguments not that they are not, and of labels no two mistakes."""
    with pytest.raises(CheckFailed) as caught:
        examine(CHECKS["14-verdict"], answer)
    assert not any(
        words in str(caught.value) for words in ("ends counted as", "depends on none", "two mistakes")
    )


# ---- the study, which a person marks


STUDY = OPEN["14-my_study"]


def whole():
    return {line.part: f"My {line.part} in some words that say what was asked for" for line in STUDY.rubric}


def test_a_whole_study_waits_for_a_person_and_has_no_points_yet(capsys):
    check(STUDY.id, whole)
    check(STUDY.id, whole, points=20)
    check_all({STUDY.id: 20})
    first, second, listed, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith(
        f"{STUDY.id}: all parts are there; it waits for a person, who gives up to 12 points: question (2 points), plan (2)"
    )
    assert "up to 20 points" in second
    assert listed == f"{STUDY.id}   0 of 20  waits for a person"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda: {}, "the part 'question' is missing; the parts are question, plan"),
        (lambda: "a text", "returned str, want a dictionary"),
        (lambda: None, "returned None \\(is the `return` missing"),
        (lambda: whole() | {"limits": "None."}, "the part 'limits' has 1 words"),
        (lambda: whole() | {"result": 0.3}, "the part 'result' is float, want a text"),
        (lambda: whole() | {"thanks": "To all who read this, and to all who do not"}, "there is no part 'thanks'"),
        (lambda: 1 / 0, "stopped with ZeroDivisionError"),
        (whole(), "got dict, want the function itself"),
    ],
)  # fmt: skip
def test_what_a_study_lacks_is_told(answer, words):
    with pytest.raises(CheckFailed, match=words):
        check(STUDY.id, answer)


def test_a_stub_is_not_handed_in():
    def my_study():
        raise NotImplementedError("to be written")

    with pytest.raises(NotDone):
        check(STUDY.id, my_study)


ALTERNATIVES = {
    "14-verdict": [verdict_row_by_row, verdict_by_subtraction, verdict_by_masks],
    "14-paired_table": [table_by_numpy, table_by_definition],
    "14-cheapest_plan": [plan_by_tensors, plan_by_search],
}

LIBRARY = {
    "14-verdict": verdict_by_subtraction,  # the library has no function for it
    "14-paired_table": table_by_the_library,
    "14-cheapest_plan": plan_by_tensors,  # nor for this
}
