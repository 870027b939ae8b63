"""A schedule of another number of steps, by the same clock."""

from collections.abc import Iterator

from .ch04_clock import rescale
from .ch04_rescale_slips import SLIPS
from .data import Check
from .inputs import Draw


def whole_schedules(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The chapter's schedules on fewer steps, as many, and more; numbers of steps that divide and that do not; one step."""
    for name, betas in d.schedules().items():
        for T in (1, 10, 30, 200, 999, 1000, 1500):
            yield f"{name}, on {T}", (betas, T)
    yield "one step on one", (d.uniform(0.1, 0.9, 1), 1)
    yield "one step on four", (d.uniform(0.1, 0.9, 1), 4)
    yield "12 steps on 24", (d.uniform(0.02, 0.9, 12), 24)


RESCALE = Check(
    id="04-rescale",
    points=4,
    minutes=25,
    level=3,
    reference=rescale,
    # Between the old number of steps and twice that, or a little below: T divides N in none of them.
    inputs=lambda d: (d.betas(), d.integer(5, d.T - 2) if d.T % 2 else d.T + d.integer(1, 4)),
    fixed=whole_schedules,
    where='section 5 of this notebook ("The end of the chain, and T"): ln alpha_bar\'_t = ln alpha_bar at s = t N / T, '
    "straight between whole s, with ln alpha_bar_0 = 0; and beta'_t = 1 - alpha_bar'_t / alpha_bar'_{t-1}.",
    outputs=("rescaled",),
    mutants=SLIPS,
)
