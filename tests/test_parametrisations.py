"""Parametrisations against their definitions: x_0 comes back when the network answers what its name says."""

import math

import pytest
import torch
from oracles import iddpm_levels, karras_table_1
from shared import F64, Net, close, draws
from torch import nn

from diffusion_course import CourseError, NoiseSchedule, gaussian, schedules
from diffusion_course.denoisers import Preconditioned
from diffusion_course.parametrisations import (
    edm_param,
    eps_param,
    flow_param,
    iddpm_param,
    iddpm_sigmas,
    v_param,
    ve_param,
    vp_param,
    x0_param,
)

S = NoiseSchedule.from_betas(schedules.linear(1000))
X0, EPS = draws(4, 2, 3), draws(4, 2, 3, seed=1)
TIMES = torch.tensor([1, 20, 500, 1000])
SIGMA = S.sigma(TIMES)
VP = 1 / (1 + SIGMA**2).sqrt()[:, None, None]


@pytest.mark.parametrize(
    ("param", "target"),
    [
        (eps_param(S), EPS),
        (x0_param(S), X0),
        (v_param(S), VP * EPS - SIGMA[:, None, None] * VP * X0),
        (flow_param(), EPS - X0),
    ],
    ids=["eps", "x0", "v", "flow"],
)
class TestParametrisations:
    def test_the_right_answer_gives_x0(self, param, target):
        x = X0 + SIGMA[:, None, None] * EPS
        close(Preconditioned(Net(target), param)(x, SIGMA), X0)
        for i, sigma in enumerate(SIGMA):  # one sigma for the whole batch, as the samplers pass it
            close(Preconditioned(Net(target[i : i + 1]), param)(x[i : i + 1], sigma), X0[i : i + 1])
            close(Preconditioned(Net(target[i : i + 1]), param)(x[i : i + 1], sigma.item()), X0[i : i + 1])

    def test_the_network_sees_what_it_was_trained_on(self, param, target):
        net = Net(target)
        Preconditioned(net, param)(X0 + SIGMA[:, None, None] * EPS, SIGMA)
        x, c_noise, _ = net.seen
        if torch.equal(target, EPS - X0):
            share = SIGMA / (1 + SIGMA)
            close(x, (1 - share)[:, None, None] * X0 + share[:, None, None] * EPS)
            close(c_noise, share)
        else:
            close(x, gaussian.diffuse(X0, TIMES, EPS, S))
            close(c_noise, TIMES)

    def test_shapes_and_dtypes(self, param, target):
        class F32(Net):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.ones(()))

        net = F32()
        for dtype in (torch.float32, F64):
            for sigma in (2.0, torch.tensor(2.0), SIGMA):
                out = Preconditioned(net, param)(X0.to(dtype), sigma)
                assert (out.dtype, out.shape) == (dtype, X0.shape)
                x, c_noise, labels = net.seen
                assert (x.dtype, c_noise.dtype, c_noise.shape) == (torch.float32, torch.float32, (4,))
                assert labels is None

    def test_labels_reach_the_network(self, param, target):
        net = Net(target)
        D = Preconditioned(net, param)
        D.given(3)(X0, SIGMA)
        assert net.seen[2].tolist() == [3, 3, 3, 3]
        D.given(torch.tensor([1, 2, 3, 4]))(X0, SIGMA)
        assert net.seen[2].tolist() == [1, 2, 3, 4]


COEFFICIENTS = {
    "edm": edm_param(0.5),
    "vp": vp_param(),
    "ve": ve_param(),
    "iddpm": iddpm_param(),
}
LEVELS = [0.002, 0.0101, 0.3, 1.0, 7.77, 80.0, 151.3]


@pytest.mark.parametrize("sigma", LEVELS)
@pytest.mark.parametrize("name", COEFFICIENTS)
def test_the_four_coefficients_of_table_1(name, sigma):
    """Computed from (B,) and () sigma alike, and used as D = c_skip x + c_out F(c_in x, c_noise)."""
    p, want = COEFFICIENTS[name], karras_table_1(name, sigma)
    for s in (torch.tensor(sigma, dtype=F64), torch.full((4,), sigma, dtype=F64)):
        got = [c(s) for c in (p.c_skip, p.c_out, p.c_in, p.c_noise)]
        for value, expected in zip(got, want, strict=True):
            close(value, torch.full_like(s, expected), 1e-9)
        net = Net(EPS)
        close(Preconditioned(net, p)(X0, s), want[0] * X0 + want[1] * EPS)
        close(net.seen[0], want[2] * X0)
        close(net.seen[1], torch.full((4,), want[3], dtype=F64), 1e-9)


def test_edm_keeps_input_target_and_output_at_unit_variance():
    """For data of variance sigma_data^2: Karras et al. 2022, appendix B.6."""
    for sigma_data in (0.3, 0.5, 1.0):
        p, s = edm_param(sigma_data), torch.tensor(LEVELS, dtype=F64)
        close(p.c_in(s) ** 2 * (sigma_data**2 + s**2), torch.ones_like(s))
        target = ((1 - p.c_skip(s)) ** 2 * sigma_data**2 + p.c_skip(s) ** 2 * s**2) / p.c_out(s) ** 2
        close(target, torch.ones_like(s))


def test_iddpm_levels_and_the_cosine_schedule_they_come_from():
    u = iddpm_sigmas()
    close(u, iddpm_levels(), 1e-9)
    assert (u.diff() < 0).all()
    assert u[-1] == 0
    # j steps of the cosine schedule, its beta clipped at 0.999, give sigma_t = u_{M - t}.
    close(NoiseSchedule.from_betas(schedules.cosine(1000)).sigmas, u[:-1].flip(0), 1e-8)


def test_iddpm_shows_the_network_its_own_time():
    c_noise = iddpm_param().c_noise
    close(c_noise(iddpm_sigmas()), torch.arange(999, -2, -1.0))
    assert c_noise(torch.tensor(1e6)) == 999


def test_a_network_that_also_answers_variances():
    net = Net(torch.cat([EPS, draws(4, 2, 3, seed=2)], 1))
    close(Preconditioned(net, iddpm_param())(X0, 2.0), X0 - 2.0 * EPS)


@pytest.mark.parametrize("sigma_data", [0.0, -1.0, math.nan, math.inf])
def test_bad_sigma_data(sigma_data):
    with pytest.raises(CourseError, match=r"^sigma_data: got .*, want a number > 0$"):
        edm_param(sigma_data)
