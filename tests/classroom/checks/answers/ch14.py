"""Answers of (imagined) students to the exercises of chapter 14. The name tells exercise and verdict."""

import math

import torch


# ---------- verdict
def right__14_verdict__mine(low, high, claim_low, claim_high):
    """two masks"""
    inside = (claim_low < low) & (high < claim_high)
    outside = (high <= claim_low) | (low >= claim_high)
    return inside.long() - outside.long()


def right__14_verdict__loop(low, high, claim_low, claim_high):
    """python loop"""
    out = []
    for l, h, c, d in zip(low.tolist(), high.tolist(), claim_low.tolist(), claim_high.tolist()):
        if c < l and h < d:
            out.append(1)
        elif h <= c or l >= d:
            out.append(-1)
        else:
            out.append(0)
    return torch.tensor(out, dtype=torch.int64)


def right__14_verdict__where(low, high, claim_low, claim_high):
    """nested where"""
    z = torch.zeros(low.shape, dtype=torch.int64)
    v = torch.where((claim_low - low < 0) & (high - claim_high < 0), z + 1, z)
    return torch.where(~(high > claim_low) | ~(low < claim_high), z - 1, v)


def right__14_verdict__masks_assign(low, high, claim_low, claim_high):
    """mask assignment"""
    v = torch.zeros_like(low, dtype=torch.long)
    v[torch.logical_and(low > claim_low, high < claim_high)] = 1
    v[torch.logical_or(high <= claim_low, low >= claim_high)] = -1
    return v


# ---------- paired_table
def right__14_paired_table__mine(marks, base):
    """as the hint says"""
    K, N = marks.shape
    rest = [k for k in range(K) if k != base]
    b = marks[base]
    difference = torch.stack([marks[k].mean() - b.mean() for k in rest])
    ps = []
    for k in rest:
        n10 = int(((marks[k] == 1) & (b == 0)).sum())
        n01 = int(((marks[k] == 0) & (b == 1)).sum())
        n = n10 + n01
        total = sum(math.comb(n, j) for j in range(min(n10, n01) + 1))
        ps.append(min(1.0, 2 * total / 2**n))
    p = torch.tensor(ps, dtype=torch.float64)
    m = K - 1
    order = p.argsort()
    factor = torch.arange(m, 0, -1, dtype=torch.float64)
    srt = (factor * p[order]).clamp(max=1).cummax(0).values
    corrected = torch.empty_like(p)
    corrected[order] = srt
    return difference, p, corrected


def right__14_paired_table__vector(marks, base):
    """einsum for the counts, scipy binomial, loop for Holm"""
    from scipy import stats

    rest = torch.cat([marks[:base], marks[base + 1:]])
    b = marks[base]
    n10 = torch.einsum("kn,n->k", rest, 1 - b)
    n01 = torch.einsum("kn,n->k", 1 - rest, b)
    d = (n10 - n01) / marks.shape[1]
    p = torch.tensor([1.0 if x + y == 0 else stats.binomtest(int(x), int(x + y)).pvalue for x, y in zip(n10.tolist(), n01.tolist())], dtype=torch.float64)
    out = torch.zeros_like(p)
    worst = 0.0
    for r, k in enumerate(sorted(range(len(p)), key=lambda k: p[k].item())):
        worst = max(worst, min(1.0, (len(p) - r) * p[k].item()))
        out[k] = worst
    return d, p, out


def right__14_paired_table__lists(marks, base):
    """pure python lists"""
    rows = marks.tolist()
    b = rows.pop(base)
    ds, ps = [], []
    for row in rows:
        a = sum(1 for x, y in zip(row, b) if x > y)
        c = sum(1 for x, y in zip(row, b) if x < y)
        ds.append((a - c) / len(b))
        ps.append(min(1.0, 2 * sum(math.comb(a + c, k) for k in range(min(a, c) + 1)) / 2 ** (a + c)))
    m = len(ps)
    cs = [max(min(1.0, (m - sum(1 for j in range(m) if (ps[j], j) < (ps[q], q))) * ps[q]) for q in range(m) if (ps[q], q) <= (ps[k], k)) for k in range(m)]
    t = lambda v: torch.tensor(v, dtype=torch.float64)
    return t(ds), t(ps), t(cs)


def right__14_paired_table__double_argsort(marks, base):
    """inverse order by argsort of argsort; binomial in logs"""
    keep = torch.arange(len(marks)) != base
    diff = marks[keep] - marks[base]
    up, down = (diff > 0).sum(1), (diff < 0).sum(1)
    ps = []
    for a, c in zip(up.tolist(), down.tolist()):
        n = a + c
        k = torch.arange(min(a, c) + 1, dtype=torch.float64)
        lg = math.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1) - n * math.log(2)
        ps.append(min(1.0, 2 * lg.exp().sum().item()))
    p = torch.tensor(ps, dtype=torch.float64)
    srt, order = torch.sort(p)
    m = len(p)
    adj = torch.minimum(srt * torch.arange(m, 0, -1), torch.ones(m, dtype=torch.float64)).cummax(0)[0]
    return diff.mean(1), p, adj[order.argsort()]


# ---------- cheapest_plan
def right__14_cheapest_plan__mine(tau, s, train, draw, half, quantiles):
    """loop"""
    best = None
    for i, q in enumerate(quantiles.tolist()):
        S = i + 2
        left = S * half**2 / q**2 - tau**2
        if left <= 0:
            continue
        n = max(1, math.ceil(s**2 / left))
        cost = S * (train + n * draw)
        if best is None or cost < best[0]:
            best = cost, S, n
    return torch.tensor(best[1]), torch.tensor(best[2])


def right__14_cheapest_plan__min(tau, s, train, draw, half, quantiles):
    """min over a list of tuples"""
    plans = []
    for S, q in enumerate(quantiles, start=2):
        v = S * (half / q.item()) ** 2 - tau * tau
        if v > 0:
            n = max(math.ceil(s * s / v), 1)
            plans.append((S * train + S * n * draw, S, n))
    _, S, n = min(plans)
    return torch.tensor(S, dtype=torch.int64), torch.tensor(n, dtype=torch.int64)


def right__14_cheapest_plan__tensors(tau, s, train, draw, half, quantiles):
    """no loop"""
    S = torch.arange(2, len(quantiles) + 2, dtype=torch.float64)
    left = S * half**2 / quantiles**2 - tau**2
    ok = left > 0
    n = torch.where(ok, torch.ceil(s**2 / torch.where(ok, left, torch.ones_like(left))), torch.full_like(left, 1.0)).clamp(min=1)
    cost = torch.where(ok, S * (train + n * draw), torch.full_like(left, math.inf))
    i = cost.argmin()
    return S[i].long(), n[i].long()


def right__14_cheapest_plan__search(tau, s, train, draw, half, quantiles):
    """smallest n by doubling and bisection on the half width itself"""
    def width(S, n, q):
        return q * math.sqrt((tau**2 + s**2 / n) / S)
    best = (math.inf, 0, 0)
    for S, q in enumerate(quantiles.tolist(), 2):
        if q * tau / math.sqrt(S) >= half:
            continue
        hi = 1
        while width(S, hi, q) > half:
            hi *= 2
            if hi > 2**60:
                break
        lo = hi // 2
        while hi - lo > 1:
            mid = (lo + hi) // 2
            if width(S, mid, q) <= half:
                hi = mid
            else:
                lo = mid
        best = min(best, (S * (train + hi * draw), S, hi))
    return torch.tensor(best[1]), torch.tensor(best[2])


def right__14_cheapest_plan__ties_last(tau, s, train, draw, half, quantiles):
    """keeps the last of equal costs (the text leaves ties open); formula multiplied out"""
    best = math.inf
    for i in range(len(quantiles)):
        S, q = i + 2, float(quantiles[i])
        bottom = S * half**2 - q**2 * tau**2
        if bottom > 0:
            n = max(1, math.ceil(q**2 * s**2 / bottom))
            cost = S * train + S * n * draw
            if cost <= best:
                best, plan = cost, (S, n)
    return tuple(torch.tensor(v) for v in plan)


def right__14_verdict__sorted_cases(low, high, claim_low, claim_high):
    """product of signs, -1 by arithmetic"""
    inside = (torch.sign(low - claim_low) == 1) & (torch.sign(claim_high - high) == 1)
    apart = torch.logical_or(torch.le(high, claim_low), torch.ge(low, claim_high))
    return inside.to(torch.int64) - apart.to(torch.int64)


def right__14_paired_table__bool(marks, base):
    """booleans and a cumulative tail by fractions"""
    from fractions import Fraction
    m = marks.bool(); b = m[base]
    ps, ds = [], []
    for k, row in enumerate(m):
        if k == base:
            continue
        a, c = (row & ~b).sum().item(), (~row & b).sum().item()
        total = sum((Fraction(math.comb(a + c, j), 2 ** (a + c)) for j in range(min(a, c) + 1)), Fraction(0))
        ps.append(float(min(Fraction(1), 2 * total))); ds.append((a - c) / marks.shape[1])
    idx = sorted(range(len(ps)), key=ps.__getitem__)
    out, top = [0.0] * len(ps), 0.0
    for r, k in enumerate(idx):
        top = max(top, min(1.0, ps[k] * (len(ps) - r))); out[k] = top
    return tuple(torch.tensor(v, dtype=torch.float64) for v in (ds, ps, out))


def _v(inside, outside):
    return inside.long() - outside.long()

def _in(l, h, c, d):
    return (c < l) & (h < d)

def _out(l, h, c, d):
    return (h <= c) | (l >= d)


def wrong__14_verdict__sign(low, high, claim_low, claim_high):
    """1 and -1 swapped"""
    return -_v(_in(low, high, claim_low, claim_high), _out(low, high, claim_low, claim_high))

def wrong__14_verdict__closed_claim(low, high, claim_low, claim_high):
    """<= for inside: the claim's ends taken into the claim"""
    return _v((claim_low <= low) & (high <= claim_high), (high < claim_low) | (low > claim_high))

def wrong__14_verdict__inside_closed(low, high, claim_low, claim_high):
    """<= for inside only, outside as the formula"""
    o = _out(low, high, claim_low, claim_high)
    return torch.where(o, -1, ((claim_low <= low) & (high <= claim_high)).long())

def wrong__14_verdict__outside_strict(low, high, claim_low, claim_high):
    """< and > for outside: intervals that only meet the claim's end are undecided"""
    return _v(_in(low, high, claim_low, claim_high), (high < claim_low) | (low > claim_high))

def wrong__14_verdict__against_zero(low, high, claim_low, claim_high):
    """the usual significance against 0; the claim is not looked at"""
    return _v(low > 0, high < 0)

def wrong__14_verdict__outside_and(low, high, claim_low, claim_high):
    """and in the place of or for outside"""
    return _v(_in(low, high, claim_low, claim_high), (high <= claim_low) & (low >= claim_high))

def wrong__14_verdict__inside_or(low, high, claim_low, claim_high):
    """or in the place of and for inside"""
    o = _out(low, high, claim_low, claim_high)
    return torch.where(o, -1, ((claim_low < low) | (high < claim_high)).long())

def wrong__14_verdict__float(low, high, claim_low, claim_high):
    """a float tensor of 1., -1., 0."""
    return _v(_in(low, high, claim_low, claim_high), _out(low, high, claim_low, claim_high)).to(low.dtype)

def wrong__14_verdict__int32(low, high, claim_low, claim_high):
    """int32"""
    return _v(_in(low, high, claim_low, claim_high), _out(low, high, claim_low, claim_high)).int()

def wrong__14_verdict__list(low, high, claim_low, claim_high):
    """a Python list"""
    return _v(_in(low, high, claim_low, claim_high), _out(low, high, claim_low, claim_high)).tolist()

def wrong__14_verdict__bool(low, high, claim_low, claim_high):
    """only the mask held up or not"""
    return _in(low, high, claim_low, claim_high)

def wrong__14_verdict__two_verdicts(low, high, claim_low, claim_high):
    """everything not inside is -1"""
    return torch.where(_in(low, high, claim_low, claim_high), 1, -1)

def wrong__14_verdict__undecided_is_outside_zero(low, high, claim_low, claim_high):
    """not inside is 0: -1 is never given"""
    return _in(low, high, claim_low, claim_high).long()

def wrong__14_verdict__midpoint(low, high, claim_low, claim_high):
    """judges by the middle of the interval"""
    m = (low + high) / 2
    return _v((m > claim_low) & (m < claim_high), (m <= claim_low) | (m >= claim_high))

def wrong__14_verdict__swapped_roles(low, high, claim_low, claim_high):
    """claim inside of the interval: roles swapped"""
    return _v(_in(claim_low, claim_high, low, high), _out(claim_low, claim_high, low, high))

def wrong__14_verdict__swapped_roles_inside(low, high, claim_low, claim_high):
    """the claim lies in the interval for +1; outside right"""
    return torch.where(_out(low, high, claim_low, claim_high), -1, ((low < claim_low) & (claim_high < high)).long())

def wrong__14_verdict__below_only(low, high, claim_low, claim_high):
    """outside only below the claim"""
    return _v(_in(low, high, claim_low, claim_high), high <= claim_low)

def wrong__14_verdict__above_only(low, high, claim_low, claim_high):
    """outside only above the claim"""
    return _v(_in(low, high, claim_low, claim_high), low >= claim_high)

def wrong__14_verdict__low_end_only(low, high, claim_low, claim_high):
    """inside looks at the low end only (right for 'better')"""
    return torch.where(_out(low, high, claim_low, claim_high), -1, (claim_low < low).long())

def wrong__14_verdict__high_end_only(low, high, claim_low, claim_high):
    """inside looks at the high end only"""
    return torch.where(_out(low, high, claim_low, claim_high), -1, (high < claim_high).long())

def wrong__14_verdict__low_and_high_mixed(low, high, claim_low, claim_high):
    """outside compares low with claim_low and high with claim_high"""
    return _v(_in(low, high, claim_low, claim_high), (low <= claim_low) & (high <= claim_high) | (low >= claim_low) & (high >= claim_high))

def wrong__14_verdict__outside_crossed(low, high, claim_low, claim_high):
    """outside: low <= claim_low or high >= claim_high (that is 'not inside')"""
    return _v(_in(low, high, claim_low, claim_high), (low <= claim_low) | (high >= claim_high))

def wrong__14_verdict__printed(low, high, claim_low, claim_high):
    """printed, not returned"""
    print(_v(_in(low, high, claim_low, claim_high), _out(low, high, claim_low, claim_high)))

def wrong__14_verdict__inplace(low, high, claim_low, claim_high):
    """infinite ends of the claim replaced in place"""
    claim_low.clamp_(min=-1e30); claim_high.clamp_(max=1e30)
    return _v(_in(low, high, claim_low, claim_high), _out(low, high, claim_low, claim_high))

def wrong__14_verdict__sorted_ends_inplace(low, high, claim_low, claim_high):
    """shifts low and high in place by the claim's end"""
    low -= claim_low; high -= claim_low
    return _v((low > 0) & (high < claim_high - claim_low), (high <= 0) | (low >= claim_high - claim_low))

def wrong__14_verdict__inf_as_zero(low, high, claim_low, claim_high):
    """nan_to_num with inf as 0"""
    c = claim_low.nan_to_num(neginf=0.0); d = claim_high.nan_to_num(posinf=0.0)
    return _v(_in(low, high, c, d), _out(low, high, c, d))

def wrong__14_verdict__symmetric(low, high, claim_low, claim_high):
    """supposes a claim symmetric about 0 where it is finite"""
    c = torch.where(claim_low.isinf() | claim_high.isinf(), claim_low, -claim_high)
    return _v(_in(low, high, c, claim_high), _out(low, high, c, claim_high))

def wrong__14_verdict__isclose(low, high, claim_low, claim_high):
    """ends that are close are taken to be equal (torch.isclose)"""
    i = (claim_low < low) & ~torch.isclose(claim_low, low) & (high < claim_high) & ~torch.isclose(claim_high, high)
    o = (high <= claim_low) | torch.isclose(high, claim_low) | (low >= claim_high) | torch.isclose(low, claim_high)
    return _v(i, o)

def wrong__14_verdict__rounded(low, high, claim_low, claim_high):
    """rounds all to three decimals first"""
    l, h, c, d = (v.round(decimals=3) for v in (low, high, claim_low, claim_high))
    return _v(_in(l, h, c, d), _out(l, h, c, d))

def wrong__14_verdict__float32(low, high, claim_low, claim_high):
    """compares in float32"""
    l, h, c, d = (v.float() for v in (low, high, claim_low, claim_high))
    return _v(_in(l, h, c, d), _out(l, h, c, d))

def wrong__14_verdict__scalar(low, high, claim_low, claim_high):
    """one verdict for all rows: .all()"""
    if _in(low, high, claim_low, claim_high).all():
        return torch.tensor(1)
    return torch.tensor(-1 if _out(low, high, claim_low, claim_high).all() else 0)

def wrong__14_verdict__first_row(low, high, claim_low, claim_high):
    """all rows held against the first row's claim"""
    return _v(_in(low, high, claim_low[0], claim_high[0]), _out(low, high, claim_low[0], claim_high[0]))

def wrong__14_verdict__python_and(low, high, claim_low, claim_high):
    """Python's `and` between tensors (an error for K > 1)"""
    if (claim_low < low) and (high < claim_high):
        return torch.tensor([1])
    if (high <= claim_low) or (low >= claim_high):
        return torch.tensor([-1])
    return torch.tensor([0])

def wrong__14_verdict__no_brackets(low, high, claim_low, claim_high):
    """& without brackets binds tighter than <: an error"""
    return (claim_low < low & high < claim_high).long()

def wrong__14_verdict__uint8(low, high, claim_low, claim_high):
    """uint8 masks: 0 - 1 = 255"""
    return (_in(low, high, claim_low, claim_high).byte() - _out(low, high, claim_low, claim_high).byte()).long()

def wrong__14_verdict__column(low, high, claim_low, claim_high):
    """(K, 1)"""
    return _v(_in(low, high, claim_low, claim_high), _out(low, high, claim_low, claim_high))[:, None]

def wrong__14_verdict__squeezed(low, high, claim_low, claim_high):
    """squeeze: a table of one row becomes ()"""
    return _v(_in(low, high, claim_low, claim_high), _out(low, high, claim_low, claim_high)).squeeze()

def wrong__14_verdict__half_inside(low, high, claim_low, claim_high):
    """held up where more than half of the interval lies in the claim"""
    part = (torch.minimum(high, claim_high) - torch.maximum(low, claim_low)).clamp(min=0) / (high - low)
    return torch.where(_out(low, high, claim_low, claim_high), -1, (part > 0.5).long())

def wrong__14_verdict__alike_against_zero(low, high, claim_low, claim_high):
    """a margin's claim holds up where 0 is in the interval ('not significant is equal')"""
    two = claim_low.isfinite() & claim_high.isfinite()
    zero = (low <= 0) & (high >= 0)
    return torch.where(two, torch.where(zero, 1, -1), _v(_in(low, high, claim_low, claim_high), _out(low, high, claim_low, claim_high)))

def wrong__14_verdict__zero_undecides(low, high, claim_low, claim_high):
    """0 in the interval: cannot be said, whatever the claim"""
    v = _v(_in(low, high, claim_low, claim_high), _out(low, high, claim_low, claim_high))
    return torch.where((low <= 0) & (high >= 0), 0, v)

def wrong__14_verdict__one_end_closed(low, high, claim_low, claim_high):
    """inside: c <= low (one end closed)"""
    return torch.where(_out(low, high, claim_low, claim_high), -1, ((claim_low <= low) & (high < claim_high)).long())

def wrong__14_verdict__outside_one_strict(low, high, claim_low, claim_high):
    """outside: high <= c or low > d"""
    return _v(_in(low, high, claim_low, claim_high), (high <= claim_low) | (low > claim_high))

def wrong__14_verdict__point_interval(low, high, claim_low, claim_high):
    """an interval of no width (low = high) is called undecided"""
    v = _v(_in(low, high, claim_low, claim_high), _out(low, high, claim_low, claim_high))
    return torch.where(low == high, 0, v)

def wrong__14_verdict__inside_overrides(low, high, claim_low, claim_high):
    """elif order with closed inside: a point interval on the claim's end is held up"""
    return torch.where((claim_low <= low) & (high <= claim_high) & (low == high), 1, _v(_in(low, high, claim_low, claim_high), _out(low, high, claim_low, claim_high)))

def wrong__14_verdict__above_infinite_only(low, high, claim_low, claim_high):
    """a claim with an infinite high end is taken for 'above 0'"""
    c = torch.where(claim_high.isinf(), torch.zeros_like(claim_low), claim_low)
    return _v(_in(low, high, c, claim_high), _out(low, high, c, claim_high))

def wrong__14_verdict__width(low, high, claim_low, claim_high):
    """compares widths: narrower than the claim is held up"""
    return torch.where(_out(low, high, claim_low, claim_high), -1, (high - low < claim_high - claim_low).long())

def wrong__14_verdict__codes(low, high, claim_low, claim_high):
    """codes 0, 1, 2 for the three cases in the order of the formula"""
    v = _v(_in(low, high, claim_low, claim_high), _out(low, high, claim_low, claim_high))
    return torch.where(v == 1, 0, torch.where(v == -1, 1, 2))


def _counts(marks, base):
    b = marks[base]
    rest = torch.cat([marks[:base], marks[base + 1:]])
    return rest, b, ((rest == 1) & (b == 0)).sum(1).tolist(), ((rest == 0) & (b == 1)).sum(1).tolist()

def _p(a, c):
    n = a + c
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(min(a, c) + 1)) / 2**n)

def _t(v):
    return torch.tensor(v, dtype=torch.float64)

def _holm(p):
    m = len(p); order = p.argsort()
    out = torch.empty_like(p)
    out[order] = (p[order] * torch.arange(m, 0, -1)).clamp(max=1).cummax(0).values
    return out

def _all(marks, base):
    rest, b, up, down = _counts(marks, base)
    p = _t([_p(a, c) for a, c in zip(up, down)])
    return rest.mean(1) - b.mean(), p, _holm(p)

def _with_p(marks, base, f):
    rest, b, up, down = _counts(marks, base)
    p = _t([f(a, c) for a, c in zip(up, down)])
    return rest.mean(1) - b.mean(), p, _holm(p)

def _with_holm(marks, base, f):
    d, p, _ = _all(marks, base)
    return d, p, f(p)


def wrong__14_paired_table__difference_sign(marks, base):
    """base minus row"""
    d, p, c = _all(marks, base)
    return -d, p, c

def wrong__14_paired_table__base_kept(marks, base):
    """the base row is kept: K entries"""
    b = marks[base]
    up = ((marks == 1) & (b == 0)).sum(1).tolist(); down = ((marks == 0) & (b == 1)).sum(1).tolist()
    p = _t([_p(a, c) for a, c in zip(up, down)])
    return marks.mean(1) - b.mean(), p, _holm(p)

def wrong__14_paired_table__base_zero(marks, base):
    """row 0 taken for the base"""
    return _all(marks, 0)

def wrong__14_paired_table__drops_first(marks, base):
    """compares with base, but drops row 0 (marks[1:]) instead of the base row"""
    b = marks[base]; rest = marks[1:]
    up = ((rest == 1) & (b == 0)).sum(1).tolist(); down = ((rest == 0) & (b == 1)).sum(1).tolist()
    p = _t([_p(a, c) for a, c in zip(up, down)])
    return rest.mean(1) - b.mean(), p, _holm(p)

def wrong__14_paired_table__counts(marks, base):
    """difference in counts, not shares"""
    d, p, c = _all(marks, base)
    return d * marks.shape[1], p, c

def wrong__14_paired_table__difference_abs(marks, base):
    """absolute difference"""
    d, p, c = _all(marks, base)
    return d.abs(), p, c

def wrong__14_paired_table__difference_discordant(marks, base):
    """difference as a share of the discordant pairs"""
    rest, b, up, down = _counts(marks, base)
    _, p, c = _all(marks, base)
    return _t([(a - e) / max(1, a + e) for a, e in zip(up, down)]), p, c

def wrong__14_paired_table__difference_std(marks, base):
    """difference divided by the base's share (relative)"""
    d, p, c = _all(marks, base)
    return d / marks[base].mean(), p, c

def wrong__14_paired_table__one_sided(marks, base):
    """no factor 2"""
    return _with_p(marks, base, lambda a, c: min(1.0, sum(math.comb(a + c, k) for k in range(min(a, c) + 1)) / 2 ** (a + c)))

def wrong__14_paired_table__no_min(marks, base):
    """no min(1, .): p may be above 1"""
    return _with_p(marks, base, lambda a, c: 2 * sum(math.comb(a + c, k) for k in range(min(a, c) + 1)) / 2 ** (a + c))

def wrong__14_paired_table__k_below(marks, base):
    """k < min: the last term is missing"""
    return _with_p(marks, base, lambda a, c: 1.0 if a == c else min(1.0, 2 * sum(math.comb(a + c, k) for k in range(min(a, c))) / 2 ** (a + c)))

def wrong__14_paired_table__k_below_plain(marks, base):
    """range(min): the last term is missing, no case of its own"""
    return _with_p(marks, base, lambda a, c: min(1.0, 2 * sum(math.comb(a + c, k) for k in range(min(a, c))) / 2 ** (a + c)))

def wrong__14_paired_table__k_from_one(marks, base):
    """sum from k = 1"""
    return _with_p(marks, base, lambda a, c: min(1.0, 2 * sum(math.comb(a + c, k) for k in range(1, min(a, c) + 1)) / 2 ** (a + c)))

def wrong__14_paired_table__k_max(marks, base):
    """up to max(n10, n01)"""
    return _with_p(marks, base, lambda a, c: min(1.0, 2 * sum(math.comb(a + c, k) for k in range(max(a, c) + 1)) / 2 ** (a + c)))

def wrong__14_paired_table__k_n10(marks, base):
    """up to n10 instead of the smaller"""
    return _with_p(marks, base, lambda a, c: min(1.0, 2 * sum(math.comb(a + c, k) for k in range(a + 1)) / 2 ** (a + c)))

def wrong__14_paired_table__k_n01(marks, base):
    """up to n01 instead of the smaller"""
    return _with_p(marks, base, lambda a, c: min(1.0, 2 * sum(math.comb(a + c, k) for k in range(c + 1)) / 2 ** (a + c)))

def wrong__14_paired_table__single_term(marks, base):
    """only the term k = min, no sum"""
    return _with_p(marks, base, lambda a, c: min(1.0, 2 * math.comb(a + c, min(a, c)) / 2 ** (a + c)))

def wrong__14_paired_table__n_all(marks, base):
    """N in the place of n10 + n01"""
    N = marks.shape[1]
    return _with_p(marks, base, lambda a, c: min(1.0, 2 * sum(math.comb(N, k) for k in range(min(a, c) + 1)) / 2**N))

def wrong__14_paired_table__power_all(marks, base):
    """2**N in the denominator, the binomials of n10 + n01"""
    N = marks.shape[1]
    return _with_p(marks, base, lambda a, c: min(1.0, 2 * sum(math.comb(a + c, k) for k in range(min(a, c) + 1)) / 2**N))

def wrong__14_paired_table__chi2(marks, base):
    """chi square approximation"""
    return _with_p(marks, base, lambda a, c: 1.0 if a + c == 0 else math.erfc(math.sqrt((a - c) ** 2 / (a + c) / 2)))

def wrong__14_paired_table__chi2_corrected(marks, base):
    """chi square with continuity correction"""
    return _with_p(marks, base, lambda a, c: 1.0 if a == c else math.erfc(math.sqrt((abs(a - c) - 1) ** 2 / (a + c) / 2)))

def wrong__14_paired_table__mid_p(marks, base):
    """mid-p"""
    def f(a, c):
        n, m = a + c, min(a, c)
        return min(1.0, (2 * sum(math.comb(n, k) for k in range(m + 1)) - math.comb(n, m)) / 2**n)
    return _with_p(marks, base, f)

def wrong__14_paired_table__unpaired_totals(marks, base):
    """n10, n01 = numbers of ones of the row and of the base"""
    rest, b, _, _ = _counts(marks, base)
    p = _t([_p(int(r.sum()), int(b.sum())) for r in rest])
    return rest.mean(1) - b.mean(), p, _holm(p)

def wrong__14_paired_table__concordant(marks, base):
    """n10 = both right, n01 = both wrong"""
    rest, b, _, _ = _counts(marks, base)
    p = _t([_p(int(((r == 1) & (b == 1)).sum()), int(((r == 0) & (b == 0)).sum())) for r in rest])
    return rest.mean(1) - b.mean(), p, _holm(p)

def wrong__14_paired_table__z_test(marks, base):
    """unpaired z test of two shares"""
    rest, b, _, _ = _counts(marks, base)
    N = marks.shape[1]
    def f(r):
        q = (r.mean() + b.mean()).item() / 2
        s = math.sqrt(2 * q * (1 - q) / N)
        return 1.0 if s == 0 else math.erfc(abs((r.mean() - b.mean()).item()) / s / math.sqrt(2))
    p = _t([f(r) for r in rest])
    return rest.mean(1) - b.mean(), p, _holm(p)

def wrong__14_paired_table__zero_p(marks, base):
    """rows without a difference get p = 0"""
    return _with_p(marks, base, lambda a, c: 0.0 if a + c == 0 else _p(a, c))

def wrong__14_paired_table__nan_p(marks, base):
    """rows without a difference get nan"""
    return _with_p(marks, base, lambda a, c: math.nan if a + c == 0 else _p(a, c))

def wrong__14_paired_table__float_power(marks, base):
    """2.0**n: an OverflowError for n >= 1024"""
    return _with_p(marks, base, lambda a, c: min(1.0, 2 * sum(math.comb(a + c, k) for k in range(min(a, c) + 1)) / 2.0 ** (a + c)))

def wrong__14_paired_table__half_power(marks, base):
    """comb * 0.5**n in floats: breaks for n > 1030"""
    return _with_p(marks, base, lambda a, c: min(1.0, 2 * sum(math.comb(a + c, k) * 0.5 ** (a + c) for k in range(min(a, c) + 1))))

def wrong__14_paired_table__int64_power(marks, base):
    """powers and binomials in int64 tensors: overflow for n >= 63"""
    def f(a, c):
        n = torch.tensor(a + c)
        total = sum(torch.tensor(math.comb(a + c, k) % 2**63) for k in range(min(a, c) + 1))
        return min(1.0, (2 * total / 2**n).item())
    return _with_p(marks, base, f)

def wrong__14_paired_table__lgamma32(marks, base):
    """binomials by lgamma in float32"""
    def f(a, c):
        n = torch.tensor(float(a + c)); k = torch.arange(min(a, c) + 1.0)
        lg = torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1) - n * math.log(2)
        return min(1.0, 2 * lg.exp().sum().item())
    return _with_p(marks, base, f)

def wrong__14_paired_table__bonferroni(marks, base):
    """Bonferroni"""
    return _with_holm(marks, base, lambda p: (p * len(p)).clamp(max=1))

def wrong__14_paired_table__no_cummax(marks, base):
    """Holm without the running maximum"""
    def f(p):
        out = torch.empty_like(p); o = p.argsort()
        out[o] = (p[o] * torch.arange(len(p), 0, -1)).clamp(max=1)
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__not_put_back(marks, base):
    """corrected left in sorted order"""
    return _with_holm(marks, base, lambda p: (p.sort().values * torch.arange(len(p), 0, -1)).clamp(max=1).cummax(0).values)

def wrong__14_paired_table__put_back_wrong(marks, base):
    """sorted[order] in the place of result[order] = sorted"""
    def f(p):
        o = p.argsort()
        return (p[o] * torch.arange(len(p), 0, -1)).clamp(max=1).cummax(0).values[o]
    return _with_holm(marks, base, f)

def wrong__14_paired_table__factors_ascending(marks, base):
    """factors 1, 2, ..., m in the place of m, ..., 1"""
    def f(p):
        out = torch.empty_like(p); o = p.argsort()
        out[o] = (p[o] * torch.arange(1, len(p) + 1)).clamp(max=1).cummax(0).values
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__bh(marks, base):
    """Benjamini-Hochberg"""
    def f(p):
        m = len(p); out = torch.empty_like(p); o = p.argsort()
        v = p[o] * m / torch.arange(1, m + 1)
        out[o] = v.flip(0).cummin(0).values.flip(0).clamp(max=1)
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__hochberg(marks, base):
    """Hochberg: running minimum from the largest"""
    def f(p):
        m = len(p); out = torch.empty_like(p); o = p.argsort()
        v = p[o] * torch.arange(m, 0, -1)
        out[o] = v.flip(0).cummin(0).values.flip(0).clamp(max=1)
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__sidak(marks, base):
    """Holm-Sidak"""
    def f(p):
        m = len(p); out = torch.empty_like(p); o = p.argsort()
        out[o] = (1 - (1 - p[o]) ** torch.arange(m, 0, -1)).cummax(0).values
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__m_is_K(marks, base):
    """m = K"""
    def f(p):
        m = len(p) + 1; out = torch.empty_like(p); o = p.argsort()
        out[o] = (p[o] * torch.arange(m, 1, -1)).clamp(max=1).cummax(0).values
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__m_minus_one(marks, base):
    """factors m - 1, ..., 0"""
    def f(p):
        m = len(p); out = torch.empty_like(p); o = p.argsort()
        out[o] = (p[o] * torch.arange(m - 1, -1, -1)).clamp(max=1).cummax(0).values
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__no_clamp(marks, base):
    """corrected not cut at 1"""
    def f(p):
        out = torch.empty_like(p); o = p.argsort()
        out[o] = (p[o] * torch.arange(len(p), 0, -1)).cummax(0).values
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__descending(marks, base):
    """sorted from the largest p"""
    def f(p):
        out = torch.empty_like(p); o = p.argsort(descending=True)
        out[o] = (p[o] * torch.arange(len(p), 0, -1)).clamp(max=1).cummax(0).values
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__unsorted(marks, base):
    """no sorting: factors in the order of the rows, running maximum over rows"""
    return _with_holm(marks, base, lambda p: (p * torch.arange(len(p), 0, -1)).clamp(max=1).cummax(0).values)

def wrong__14_paired_table__cummin(marks, base):
    """running minimum"""
    def f(p):
        out = torch.empty_like(p); o = p.argsort()
        out[o] = (p[o] * torch.arange(len(p), 0, -1)).clamp(max=1).cummin(0).values
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__cummax_of_p(marks, base):
    """running maximum of p before the factors"""
    def f(p):
        out = torch.empty_like(p); o = p.argsort()
        out[o] = (p[o].cummax(0).values * torch.arange(len(p), 0, -1)).clamp(max=1)
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__unique_ranks(marks, base):
    """equal p share one rank; ranks among the distinct values"""
    def f(p):
        u, inv = p.unique(return_inverse=True)
        return (u * (len(u) - torch.arange(len(u)))).clamp(max=1).cummax(0).values[inv]
    return _with_holm(marks, base, f)

def wrong__14_paired_table__below_one_only(marks, base):
    """m counts only the p below 1"""
    def f(p):
        m = int((p < 1).sum()); out = torch.ones_like(p); o = p.argsort()[:m]
        out[o] = (p[o] * torch.arange(m, 0, -1)).clamp(max=1).cummax(0).values
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__stops(marks, base):
    """after the first corrected p above 0.05 all others are 1"""
    def f(p):
        c = _holm(p); out = c.clone(); first = c[c > 0.05]
        if len(first):
            out[(c > first.min())] = 1.0
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__strictly_ordered(marks, base):
    """running maximum only over the neighbour before"""
    def f(p):
        out = torch.empty_like(p); o = p.argsort(); v = (p[o] * torch.arange(len(p), 0, -1)).clamp(max=1)
        w = v.clone()
        if len(v) > 1:
            w[1:] = torch.maximum(v[1:], v[:-1])
        out[o] = w
        return out
    return _with_holm(marks, base, f)

def wrong__14_paired_table__uncorrected(marks, base):
    """corrected = p"""
    d, p, _ = _all(marks, base)
    return d, p, p.clone()

def wrong__14_paired_table__corrected_of_all_K(marks, base):
    """Holm over K p values, the base's own p = 1 among them"""
    d, p, _ = _all(marks, base)
    q = _holm(torch.cat([p, _t([1.0])]))
    return d, p, q[:-1]

def wrong__14_paired_table__order_of_return(marks, base):
    """p first"""
    d, p, c = _all(marks, base)
    return p, d, c

def wrong__14_paired_table__swap_p(marks, base):
    """corrected and p swapped"""
    d, p, c = _all(marks, base)
    return d, c, p

def wrong__14_paired_table__stacked(marks, base):
    """one tensor (3, K - 1)"""
    return torch.stack(_all(marks, base))

def wrong__14_paired_table__two_values(marks, base):
    """corrected forgotten"""
    return _all(marks, base)[:2]

def wrong__14_paired_table__lists(marks, base):
    """Python lists"""
    return tuple(v.tolist() for v in _all(marks, base))

def wrong__14_paired_table__float32(marks, base):
    """results in float32"""
    return tuple(v.float() for v in _all(marks, base))

def wrong__14_paired_table__p_float32(marks, base):
    """p made without dtype, then cast"""
    rest, b, up, down = _counts(marks, base)
    p = torch.tensor([_p(a, c) for a, c in zip(up, down)]).double()
    return rest.mean(1) - b.mean(), p, _holm(p)

def wrong__14_paired_table__inplace(marks, base):
    """marks -= marks[base] in place"""
    d, p, c = _all(marks, base)
    marks -= marks[base].clone()
    return d, p, c

def wrong__14_paired_table__inplace_swap(marks, base):
    """moves the base to row 0 in place"""
    out = _all(marks, base)
    marks[[0, base]] = marks[[base, 0]].clone()
    return out

def wrong__14_paired_table__swap_rows(marks, base):
    """swaps row 0 and the base (a copy), then compares: order of the rows is wrong"""
    m = marks.clone(); m[[0, base]] = marks[[base, 0]]
    return _all(m, 0)

def wrong__14_paired_table__printed(marks, base):
    """printed"""
    print(_all(marks, base))

def wrong__14_paired_table__squeezed(marks, base):
    """squeezed: () for two rows"""
    return tuple(v.squeeze() for v in _all(marks, base))

def wrong__14_paired_table__column(marks, base):
    """(K - 1, 1)"""
    return tuple(v[:, None] for v in _all(marks, base))

def wrong__14_paired_table__axis(marks, base):
    """mean over the samplers (dim 0)"""
    d, p, c = _all(marks, base)
    return marks.mean(0) - marks[base], p, c

def wrong__14_paired_table__permutation(marks, base):
    """p by a random sign test of 2,000 draws with torch's global state"""
    def f(a, c):
        n = a + c
        s = torch.randint(0, 2, (2000, max(n, 1)))[:, :n].sum(1)
        return ((2 * s - n).abs() >= abs(a - c)).double().mean().item()
    return _with_p(marks, base, f)

def wrong__14_paired_table__pooled_base(marks, base):
    """compares with the mean of all other rows' share"""
    d, p, c = _all(marks, base)
    rest = torch.cat([marks[:base], marks[base + 1:]])
    return rest.mean(1) - marks.mean(), p, c

def wrong__14_paired_table__sum_of_floats(marks, base):
    """tail as 1 - other tail: cancels for tiny p"""
    def f(a, c):
        n, m = a + c, max(a, c)
        if a == c: return 1.0
        return min(1.0, 2 * (1 - sum(math.comb(n, k) / 2**n for k in range(m))))
    return _with_p(marks, base, f)

def wrong__14_paired_table__normal_for_large(marks, base):
    """exact up to 100 discordant pairs, the normal approximation above"""
    return _with_p(marks, base, lambda a, c: _p(a, c) if a + c <= 100 else math.erfc((abs(a - c) - 1) / math.sqrt(2 * (a + c))))

def wrong__14_paired_table__factor_square(marks, base):
    """2**-(2n): the power twice"""
    return _with_p(marks, base, lambda a, c: min(1.0, 2 * sum(math.comb(a + c, k) for k in range(min(a, c) + 1)) / 4 ** (a + c)))

def wrong__14_paired_table__m_minus_r_plus_one(marks, base):
    """factors (m - q + 1), counting q from 1 read as from 0 (m + 1, ..., 2)... clamped to m"""
    def f(p):
        m = len(p); out = torch.empty_like(p); o = p.argsort()
        out[o] = (p[o] * torch.arange(m + 1, 1, -1).clamp(max=m)).clamp(max=1).cummax(0).values
        return out
    return _with_holm(marks, base, f)


def _plan(tau, s, train, draw, half, quantiles, left=None, n=None, cost=None, start=2, qs=None, pick=min):
    left = left or (lambda S, q: S * half**2 / q**2 - tau**2)
    n = n or (lambda v, S, q: max(1, math.ceil(s**2 / v)))
    cost = cost or (lambda S, k: S * (train + k * draw))
    plans = []
    for S, q in enumerate(quantiles.tolist() if qs is None else qs, start):
        v = left(S, q)
        if v <= 0:
            continue
        k = n(v, S, q)
        plans.append((cost(S, k), S, k))
    if not plans:
        return torch.tensor(0), torch.tensor(0)
    best = pick(plans)
    return torch.tensor(best[1]), torch.tensor(best[2])


def wrong__14_cheapest_plan__from_one(tau, s, train, draw, half, quantiles):
    """quantiles[0] is taken for S = 1"""
    return _plan(tau, s, train, draw, half, quantiles, start=1)

def wrong__14_cheapest_plan__from_three(tau, s, train, draw, half, quantiles):
    """quantiles[0] is taken for S = 3"""
    return _plan(tau, s, train, draw, half, quantiles, start=3)

def wrong__14_cheapest_plan__degrees(tau, s, train, draw, half, quantiles):
    """the quantile of S + 1 for S (quantiles[S - 1])"""
    return _plan(tau, s, train, draw, half, quantiles, qs=quantiles.tolist()[1:])

def wrong__14_cheapest_plan__index_S(tau, s, train, draw, half, quantiles):
    """range(2, Q + 2) with quantiles[S]: IndexError"""
    plans = []
    for S in range(2, len(quantiles) + 2):
        q = quantiles[S].item(); v = S * half**2 / q**2 - tau**2
        if v > 0:
            k = math.ceil(s**2 / v); plans.append((S * (train + k * draw), S, k))
    _, S, k = min(plans)
    return torch.tensor(S), torch.tensor(k)

def wrong__14_cheapest_plan__last_left_out(tau, s, train, draw, half, quantiles):
    """the last quantile is never looked at"""
    return _plan(tau, s, train, draw, half, quantiles, qs=quantiles.tolist()[:-1])

def wrong__14_cheapest_plan__first_left_out(tau, s, train, draw, half, quantiles):
    """S = 2 is never looked at"""
    return _plan(tau, s, train, draw, half, quantiles, qs=quantiles.tolist()[1:], start=3)

def wrong__14_cheapest_plan__floor(tau, s, train, draw, half, quantiles):
    """rounded down"""
    return _plan(tau, s, train, draw, half, quantiles, n=lambda v, S, q: max(1, math.floor(s**2 / v)))

def wrong__14_cheapest_plan__round(tau, s, train, draw, half, quantiles):
    """rounded to the nearest"""
    return _plan(tau, s, train, draw, half, quantiles, n=lambda v, S, q: max(1, round(s**2 / v)))

def wrong__14_cheapest_plan__floor_plus_one(tau, s, train, draw, half, quantiles):
    """floor + 1: one too many where the quotient is whole"""
    return _plan(tau, s, train, draw, half, quantiles, n=lambda v, S, q: math.floor(s**2 / v) + 1)

def wrong__14_cheapest_plan__ceil_plus_one(tau, s, train, draw, half, quantiles):
    """one sample more than needed"""
    return _plan(tau, s, train, draw, half, quantiles, n=lambda v, S, q: math.ceil(s**2 / v) + 1)

def wrong__14_cheapest_plan__negative_kept(tau, s, train, draw, half, quantiles):
    """plans with a negative denominator are not skipped"""
    plans = []
    for S, q in enumerate(quantiles.tolist(), 2):
        v = S * half**2 / q**2 - tau**2
        k = math.ceil(s**2 / v); plans.append((S * (train + k * draw), S, k))
    _, S, k = min(plans)
    return torch.tensor(S), torch.tensor(k)

def wrong__14_cheapest_plan__negative_clamped(tau, s, train, draw, half, quantiles):
    """a negative n becomes 1"""
    plans = []
    for S, q in enumerate(quantiles.tolist(), 2):
        v = S * half**2 / q**2 - tau**2
        k = max(1, math.ceil(s**2 / v)) if v else 10**9; plans.append((S * (train + k * draw), S, k))
    _, S, k = min(plans)
    return torch.tensor(S), torch.tensor(k)

def wrong__14_cheapest_plan__negative_abs(tau, s, train, draw, half, quantiles):
    """the absolute value of the denominator"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: abs(S * half**2 / q**2 - tau**2))

def wrong__14_cheapest_plan__zero_divides(tau, s, train, draw, half, quantiles):
    """skips below 0 but not 0: ZeroDivisionError when the denominator is exactly 0"""
    plans = []
    for S, q in enumerate(quantiles.tolist(), 2):
        v = S * half**2 / q**2 - tau**2
        if v < 0:
            continue
        k = math.ceil(s**2 / v); plans.append((S * (train + k * draw), S, k))
    _, S, k = min(plans)
    return torch.tensor(S), torch.tensor(k)

def wrong__14_cheapest_plan__break(tau, s, train, draw, half, quantiles):
    """break in the place of continue at the first S that cannot do it"""
    plans = []
    for S, q in enumerate(quantiles.tolist(), 2):
        v = S * half**2 / q**2 - tau**2
        if v <= 0:
            break
        k = math.ceil(s**2 / v); plans.append((S * (train + k * draw), S, k))
    if not plans:
        return torch.tensor(0), torch.tensor(0)
    _, S, k = min(plans)
    return torch.tensor(S), torch.tensor(k)

def wrong__14_cheapest_plan__half_not_squared(tau, s, train, draw, half, quantiles):
    """half in the place of half**2"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: S * half / q**2 - tau**2)

def wrong__14_cheapest_plan__q_not_squared(tau, s, train, draw, half, quantiles):
    """q in the place of q**2"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: S * half**2 / q - tau**2)

def wrong__14_cheapest_plan__tau_not_squared(tau, s, train, draw, half, quantiles):
    """tau in the place of tau**2"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: S * half**2 / q**2 - tau)

def wrong__14_cheapest_plan__s_not_squared(tau, s, train, draw, half, quantiles):
    """s in the place of s**2"""
    return _plan(tau, s, train, draw, half, quantiles, n=lambda v, S, q: max(1, math.ceil(s / v)))

def wrong__14_cheapest_plan__S_squared(tau, s, train, draw, half, quantiles):
    """S**2 in the place of S"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: (S * half / q) ** 2 - tau**2)

def wrong__14_cheapest_plan__no_S(tau, s, train, draw, half, quantiles):
    """the factor S of the denominator is forgotten"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: half**2 / q**2 - tau**2)

def wrong__14_cheapest_plan__S_degrees(tau, s, train, draw, half, quantiles):
    """S - 1 in the place of S"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: (S - 1) * half**2 / q**2 - tau**2)

def wrong__14_cheapest_plan__plus_tau(tau, s, train, draw, half, quantiles):
    """plus tau**2 in the denominator"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: S * half**2 / q**2 + tau**2)

def wrong__14_cheapest_plan__no_tau(tau, s, train, draw, half, quantiles):
    """tau forgotten"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: S * half**2 / q**2)

def wrong__14_cheapest_plan__q_times(tau, s, train, draw, half, quantiles):
    """multiplies by q**2"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: S * half**2 * q**2 - tau**2)

def wrong__14_cheapest_plan__normal(tau, s, train, draw, half, quantiles):
    """1.96 in the place of Student's quantiles"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: S * half**2 / 1.96**2 - tau**2)

def wrong__14_cheapest_plan__whole_width(tau, s, train, draw, half, quantiles):
    """half taken for the whole width"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: S * (half / 2) ** 2 / q**2 - tau**2)

def wrong__14_cheapest_plan__twice_half(tau, s, train, draw, half, quantiles):
    """whole width 2 half taken for the half width"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: S * (2 * half) ** 2 / q**2 - tau**2)

def wrong__14_cheapest_plan__samples_not_over_S(tau, s, train, draw, half, quantiles):
    """Var = tau^2/S + s^2/n"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: half**2 / q**2 - tau**2 / S)

def wrong__14_cheapest_plan__tau_not_over_S(tau, s, train, draw, half, quantiles):
    """Var = tau^2 + s^2/(S n)"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: S * (half**2 / q**2 - tau**2))

def wrong__14_cheapest_plan__spreads_added(tau, s, train, draw, half, quantiles):
    """standard deviations added: (half sqrt(S)/q - tau)^2"""
    return _plan(tau, s, train, draw, half, quantiles, left=lambda S, q: max(0.0, math.sqrt(S) * half / q - tau) ** 2)

def wrong__14_cheapest_plan__cost_no_S(tau, s, train, draw, half, quantiles):
    """cost of one network: train + n draw"""
    return _plan(tau, s, train, draw, half, quantiles, cost=lambda S, k: train + k * draw)

def wrong__14_cheapest_plan__cost_train_once(tau, s, train, draw, half, quantiles):
    """cost = train + S n draw"""
    return _plan(tau, s, train, draw, half, quantiles, cost=lambda S, k: train + S * k * draw)

def wrong__14_cheapest_plan__cost_draw_once(tau, s, train, draw, half, quantiles):
    """cost = S train + n draw"""
    return _plan(tau, s, train, draw, half, quantiles, cost=lambda S, k: S * train + k * draw)

def wrong__14_cheapest_plan__cost_no_draw(tau, s, train, draw, half, quantiles):
    """the cost of samples forgotten"""
    return _plan(tau, s, train, draw, half, quantiles, cost=lambda S, k: S * train)

def wrong__14_cheapest_plan__cost_no_train(tau, s, train, draw, half, quantiles):
    """the cost of training forgotten"""
    return _plan(tau, s, train, draw, half, quantiles, cost=lambda S, k: S * k * draw)

def wrong__14_cheapest_plan__cost_swapped(tau, s, train, draw, half, quantiles):
    """train and draw swapped in the cost"""
    return _plan(tau, s, train, draw, half, quantiles, cost=lambda S, k: S * (draw + k * train))

def wrong__14_cheapest_plan__cost_train_times(tau, s, train, draw, half, quantiles):
    """every sample trained: S n (train + draw)"""
    return _plan(tau, s, train, draw, half, quantiles, cost=lambda S, k: S * k * (train + draw))

def wrong__14_cheapest_plan__fewest_samples(tau, s, train, draw, half, quantiles):
    """the plan with the fewest samples a network"""
    return _plan(tau, s, train, draw, half, quantiles, cost=lambda S, k: k)

def wrong__14_cheapest_plan__dearest(tau, s, train, draw, half, quantiles):
    """the dearest plan"""
    return _plan(tau, s, train, draw, half, quantiles, pick=max)

def wrong__14_cheapest_plan__first_possible(tau, s, train, draw, half, quantiles):
    """the first S that is possible"""
    return _plan(tau, s, train, draw, half, quantiles, pick=lambda plans: plans[0])

def wrong__14_cheapest_plan__last_possible(tau, s, train, draw, half, quantiles):
    """the largest S"""
    return _plan(tau, s, train, draw, half, quantiles, pick=lambda plans: plans[-1])

def wrong__14_cheapest_plan__local_minimum(tau, s, train, draw, half, quantiles):
    """stops as soon as the cost rises"""
    def pick(plans):
        best = plans[0]
        for one in plans[1:]:
            if one[0] > best[0]:
                break
            best = one
        return best
    return _plan(tau, s, train, draw, half, quantiles, pick=pick)

def wrong__14_cheapest_plan__swapped(tau, s, train, draw, half, quantiles):
    """(samples, seeds)"""
    S, k = _plan(tau, s, train, draw, half, quantiles)
    return k, S

def wrong__14_cheapest_plan__all_samples(tau, s, train, draw, half, quantiles):
    """samples of all networks together"""
    S, k = _plan(tau, s, train, draw, half, quantiles)
    return S, S * k

def wrong__14_cheapest_plan__ints(tau, s, train, draw, half, quantiles):
    """Python ints"""
    return tuple(map(int, _plan(tau, s, train, draw, half, quantiles)))

def wrong__14_cheapest_plan__floats(tau, s, train, draw, half, quantiles):
    """float64 tensors"""
    return tuple(v.double() for v in _plan(tau, s, train, draw, half, quantiles))

def wrong__14_cheapest_plan__one_tensor(tau, s, train, draw, half, quantiles):
    """one tensor (2,)"""
    return torch.stack(_plan(tau, s, train, draw, half, quantiles))

def wrong__14_cheapest_plan__shape_one(tau, s, train, draw, half, quantiles):
    """tensors of shape (1,)"""
    return tuple(v[None] for v in _plan(tau, s, train, draw, half, quantiles))

def wrong__14_cheapest_plan__int32(tau, s, train, draw, half, quantiles):
    """int32"""
    return tuple(v.int() for v in _plan(tau, s, train, draw, half, quantiles))

def wrong__14_cheapest_plan__with_cost(tau, s, train, draw, half, quantiles):
    """three values, the cost too"""
    S, k = _plan(tau, s, train, draw, half, quantiles)
    return S, k, S * (train + k * draw)

def wrong__14_cheapest_plan__cost_first(tau, s, train, draw, half, quantiles):
    """the cheapest cost and the seeds"""
    S, k = _plan(tau, s, train, draw, half, quantiles)
    return (S * (train + k * draw)), S

def wrong__14_cheapest_plan__printed(tau, s, train, draw, half, quantiles):
    """printed"""
    print(_plan(tau, s, train, draw, half, quantiles))

def wrong__14_cheapest_plan__index_returned(tau, s, train, draw, half, quantiles):
    """the index of the quantile returned for the seeds"""
    S, k = _plan(tau, s, train, draw, half, quantiles)
    return S - 2, k

def wrong__14_cheapest_plan__inplace(tau, s, train, draw, half, quantiles):
    """squares the quantiles in place"""
    out = _plan(tau, s, train, draw, half, quantiles)
    quantiles.square_()
    return out

def wrong__14_cheapest_plan__zero_samples(tau, s, train, draw, half, quantiles):
    """n = 0 where s = 0"""
    return _plan(tau, s, train, draw, half, quantiles, n=lambda v, S, q: math.ceil(s**2 / v))

def wrong__14_cheapest_plan__two_samples(tau, s, train, draw, half, quantiles):
    """at least two samples of each network"""
    return _plan(tau, s, train, draw, half, quantiles, n=lambda v, S, q: max(2, math.ceil(s**2 / v)))

def wrong__14_cheapest_plan__capped(tau, s, train, draw, half, quantiles):
    """n capped at 10,000"""
    return _plan(tau, s, train, draw, half, quantiles, n=lambda v, S, q: min(10_000, max(1, math.ceil(s**2 / v))))

def wrong__14_cheapest_plan__gives_up(tau, s, train, draw, half, quantiles):
    """searches n up to 1,000 only; skips S beyond"""
    plans = []
    for S, q in enumerate(quantiles.tolist(), 2):
        for k in range(1, 1001):
            if q * math.sqrt((tau**2 + s**2 / k) / S) <= half:
                plans.append((S * (train + k * draw), S, k)); break
    if not plans:
        return torch.tensor(0), torch.tensor(0)
    _, S, k = min(plans)
    return torch.tensor(S), torch.tensor(k)

def wrong__14_cheapest_plan__powers_of_two(tau, s, train, draw, half, quantiles):
    """n among 1, 2, 4, 8, ..."""
    return _plan(tau, s, train, draw, half, quantiles, n=lambda v, S, q: 2 ** max(0, math.ceil(math.log2(max(s**2 / v, 1e-9)))))

def wrong__14_cheapest_plan__at_most_thirty(tau, s, train, draw, half, quantiles):
    """at most 10 seeds"""
    return _plan(tau, s, train, draw, half, quantiles, qs=quantiles.tolist()[:9])

def wrong__14_cheapest_plan__own_student(tau, s, train, draw, half, quantiles):
    """computes Student's quantiles itself and ignores those given"""
    from scipy import stats
    return _plan(tau, s, train, draw, half, quantiles, qs=[float(stats.t.ppf(0.975, S - 1)) for S in range(2, len(quantiles) + 2)])

def wrong__14_cheapest_plan__own_student_thirty(tau, s, train, draw, half, quantiles):
    """own Student's quantiles, always up to 30 seeds"""
    from scipy import stats
    return _plan(tau, s, train, draw, half, quantiles, qs=[float(stats.t.ppf(0.975, S - 1)) for S in range(2, 31)])

def wrong__14_cheapest_plan__optimum_formula(tau, s, train, draw, half, quantiles):
    """n = s/tau sqrt(train/draw) from the textbook, then the smallest S that is enough"""
    n = max(1, math.ceil(s / max(tau, 1e-9) * math.sqrt(train / max(draw, 1e-12))))
    for S, q in enumerate(quantiles.tolist(), 2):
        if q * math.sqrt((tau**2 + s**2 / n) / S) <= half:
            return torch.tensor(S), torch.tensor(n)
    return torch.tensor(len(quantiles) + 1), torch.tensor(n)

def wrong__14_cheapest_plan__cost_before_ceil(tau, s, train, draw, half, quantiles):
    """the cost is compared before rounding n up"""
    plans = []
    for S, q in enumerate(quantiles.tolist(), 2):
        v = S * half**2 / q**2 - tau**2
        if v > 0:
            plans.append((S * (train + s**2 / v * draw), S, s**2 / v))
    _, S, k = min(plans)
    return torch.tensor(S), torch.tensor(max(1, math.ceil(k)))

def wrong__14_cheapest_plan__float32(tau, s, train, draw, half, quantiles):
    """float32 on the way"""
    q = quantiles.float(); S = torch.arange(2.0, len(q) + 2)
    v = S * half**2 / q**2 - tau**2
    k = torch.where(v > 0, (s**2 / v.clamp(min=1e-30)).ceil(), torch.full_like(v, math.inf)).clamp(min=1)
    i = (S * (train + k * draw)).argmin()
    return S[i].long(), k[i].long()

def wrong__14_cheapest_plan__draw_zero(tau, s, train, draw, half, quantiles):
    """divides by draw (compares costs in samples)"""
    return _plan(tau, s, train, draw, half, quantiles, cost=lambda S, k: S * (train // draw + k))

def wrong__14_cheapest_plan__integer_tau(tau, s, train, draw, half, quantiles):
    """tau = 0 is skipped as 'no spread, one network will do': (2, n)"""
    if tau == 0:
        q = quantiles[0].item()
        return torch.tensor(2), torch.tensor(max(1, math.ceil(s**2 / (2 * half**2 / q**2))))
    return _plan(tau, s, train, draw, half, quantiles)


def _solve(left, quantiles, s, train, draw):
    plans = []
    for i, q in enumerate(quantiles):
        v = left(i + 2, q.item())
        if v > 0:
            n = math.ceil(s**2 / v)
            plans.append(((i + 2) * (train + n * draw), i + 2, n))
    _, S, n = min(plans)
    return torch.tensor(S), torch.tensor(n)

def wrong__14_cheapest_plan__no_S_raises(tau, s, train, draw, half, quantiles):
    """factor S forgotten, min([]) raises"""
    return _solve(lambda S, q: half**2 / q**2 - tau**2, quantiles, s, train, draw)

def wrong__14_cheapest_plan__tau_not_squared_raises(tau, s, train, draw, half, quantiles):
    """tau, not squared; min([]) raises"""
    return _solve(lambda S, q: S * half**2 / q**2 - tau, quantiles, s, train, draw)

def wrong__14_cheapest_plan__break_raises(tau, s, train, draw, half, quantiles):
    """break at the first impossible S; nothing found"""
    best = (math.inf, None, None)
    for i, q in enumerate(quantiles.tolist()):
        v = (i + 2) * half**2 / q**2 - tau**2
        if v <= 0:
            break
        n = math.ceil(s**2 / v)
        best = min(best, ((i + 2) * (train + n * draw), i + 2, n))
    return torch.tensor(best[1]), torch.tensor(best[2])

def wrong__14_cheapest_plan__abs_n(tau, s, train, draw, half, quantiles):
    """negative n not skipped, min over (cost) with a max(n, 1)"""
    S = torch.arange(2, len(quantiles) + 2, dtype=torch.float64)
    n = (s**2 / (S * (half / quantiles) ** 2 - tau**2)).ceil().clamp(min=1)
    k = (S * (train + n * draw)).argmin()
    return S[k].long(), n[k].long()

def wrong__14_cheapest_plan__total_over_S(tau, s, train, draw, half, quantiles):
    """n is taken for all samples together, and divided by S"""
    best = (math.inf, 0, 0)
    for i, q in enumerate(quantiles.tolist()):
        S = i + 2; v = half**2 / q**2 - tau**2 / S
        if v > 0:
            n = math.ceil(s**2 / v / S / S); best = min(best, (S * (train + n * draw), S, n))
    return torch.tensor(best[1]), torch.tensor(best[2])

def wrong__14_cheapest_plan__s_over_n(tau, s, train, draw, half, quantiles):
    """sample spread s/n in the place of s/sqrt(n)"""
    best = (math.inf, 0, 0)
    for i, q in enumerate(quantiles.tolist()):
        S = i + 2; v = S * half**2 / q**2 - tau**2
        if v > 0:
            n = math.ceil(s / math.sqrt(v)); best = min(best, (S * (train + n * draw), S, n))
    return torch.tensor(best[1]), torch.tensor(best[2])

def wrong__14_cheapest_plan__tolerance(tau, s, train, draw, half, quantiles):
    """ceil(x - 1e-3): a little too few samples"""
    best = (math.inf, 0, 0)
    for i, q in enumerate(quantiles.tolist()):
        S = i + 2; v = S * half**2 / q**2 - tau**2
        if v > 0:
            n = max(1, math.ceil(s**2 / v - 1e-3)); best = min(best, (S * (train + n * draw), S, n))
    return torch.tensor(best[1]), torch.tensor(best[2])

def wrong__14_cheapest_plan__last_quantile_reused(tau, s, train, draw, half, quantiles):
    """tries up to 100 seeds, with the last quantile where there is none"""
    best = (math.inf, 0, 0)
    for S in range(2, 101):
        q = quantiles[min(S - 2, len(quantiles) - 1)].item(); v = S * half**2 / q**2 - tau**2
        if v > 0:
            n = max(1, math.ceil(s**2 / v)); best = min(best, (S * (train + n * draw), S, n))
    return torch.tensor(best[1]), torch.tensor(best[2])

def wrong__14_cheapest_plan__sorted_quantiles(tau, s, train, draw, half, quantiles):
    """sorts the quantiles ascending"""
    best = (math.inf, 0, 0)
    for i, q in enumerate(quantiles.sort().values.tolist()):
        S = i + 2; v = S * half**2 / q**2 - tau**2
        if v > 0:
            n = max(1, math.ceil(s**2 / v)); best = min(best, (S * (train + n * draw), S, n))
    return torch.tensor(best[1]), torch.tensor(best[2])

def wrong__14_verdict__plus_outside(low, high, claim_low, claim_high):
    """sum of masks: outside gives +1 too"""
    return ((claim_low < low) & (high < claim_high)).long() + ((high <= claim_low) | (low >= claim_high)).long()

def wrong__14_verdict__default_minus(low, high, claim_low, claim_high):
    """0 for outside and -1 for undecided"""
    v = torch.full_like(low, -1).long()
    v[(claim_low < low) & (high < claim_high)] = 1
    v[(high <= claim_low) | (low >= claim_high)] = 0
    return v

def wrong__14_verdict__outside_wrong_ends(low, high, claim_low, claim_high):
    """outside: low <= claim_low and high >= claim_high (covers the claim)"""
    return ((claim_low < low) & (high < claim_high)).long() - ((low <= claim_low) & (high >= claim_high)).long()

def wrong__14_verdict__sum_bool(low, high, claim_low, claim_high):
    """counts of ends inside minus one"""
    return ((low > claim_low) & (low < claim_high)).long() + ((high > claim_low) & (high < claim_high)).long() - 1

def wrong__14_paired_table__difference_one_axis(marks, base):
    """difference not divided: mean of the row minus mean of all marks of base and row"""
    rest = torch.cat([marks[:base], marks[base + 1:]]); b = marks[base]
    ps = []
    for r in rest:
        a, c = int(((r - b) > 0).sum()), int(((r - b) < 0).sum())
        ps.append(min(1.0, 2 * sum(math.comb(a + c, k) for k in range(min(a, c) + 1)) / 2 ** (a + c)))
    p = torch.tensor(ps, dtype=torch.float64); o = p.argsort(); out = torch.empty_like(p)
    out[o] = (p[o] * torch.arange(len(p), 0, -1)).clamp(max=1).cummax(0).values
    return rest.mean(1) - (rest.mean(1) + b.mean()) / 2, p, out

def wrong__14_paired_table__equal_counted(marks, base):
    """ties split half and half between n10 and n01 (floor)"""
    rest = torch.cat([marks[:base], marks[base + 1:]]); b = marks[base]
    ps = []
    for r in rest:
        t = int((r == b).sum()) // 2
        a, c = int((r > b).sum()) + t, int((r < b).sum()) + t
        ps.append(min(1.0, 2 * sum(math.comb(a + c, k) for k in range(min(a, c) + 1)) / 2 ** (a + c)))
    p = torch.tensor(ps, dtype=torch.float64); o = p.argsort(); out = torch.empty_like(p)
    out[o] = (p[o] * torch.arange(len(p), 0, -1)).clamp(max=1).cummax(0).values
    return rest.mean(1) - b.mean(), p, out

def wrong__14_paired_table__significant_only(marks, base):
    """corrected as True/False below 0.05"""
    rest = torch.cat([marks[:base], marks[base + 1:]]); b = marks[base]
    ps = []
    for r in rest:
        a, c = int((r > b).sum()), int((r < b).sum())
        ps.append(min(1.0, 2 * sum(math.comb(a + c, k) for k in range(min(a, c) + 1)) / 2 ** (a + c)))
    p = torch.tensor(ps, dtype=torch.float64); o = p.argsort(); out = torch.empty_like(p)
    out[o] = (p[o] * torch.arange(len(p), 0, -1)).clamp(max=1).cummax(0).values
    return rest.mean(1) - b.mean(), p, out < 0.05

def wrong__14_paired_table__sorted_p_too(marks, base):
    """p returned sorted as well"""
    rest = torch.cat([marks[:base], marks[base + 1:]]); b = marks[base]
    ps = []
    for r in rest:
        a, c = int((r > b).sum()), int((r < b).sum())
        ps.append(min(1.0, 2 * sum(math.comb(a + c, k) for k in range(min(a, c) + 1)) / 2 ** (a + c)))
    p = torch.tensor(ps, dtype=torch.float64).sort().values
    return rest.mean(1) - b.mean(), p, (p * torch.arange(len(p), 0, -1)).clamp(max=1).cummax(0).values
