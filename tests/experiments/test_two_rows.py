"""Two overlapping classes with exact denoisers: what a guidance scale buys, and what it costs."""

import pytest
import torch

from diffusion_course import Noise
from diffusion_course.errors import CourseError
from diffusion_course.experiments import two_rows
from diffusion_course.experiments.metrics import precision_recall

ONES = torch.ones_like(two_rows.SIGMAS)


def test_the_wanted_class_is_half_of_both_and_neighbours_differ():
    cond, both = two_rows.denoisers()
    assert 2 * len(cond.means) == len(both.means) == 10
    apart = torch.cdist(two_rows.PLACES, two_rows.PLACES)
    neighbours = apart == 1
    differ = two_rows.WANTED[:, None] != two_rows.WANTED
    assert bool(differ[neighbours].all())


def test_without_guidance_as_many_are_recognised_as_of_the_class_itself():
    cond, _ = two_rows.denoisers()
    true = two_rows.recognised(cond.sample(20_000, Noise(5, per_sample=False))[0]).double().mean().item()
    share, recall = two_rows.trade_off(ONES)
    assert abs(share - true) < 3 * (true * (1 - true) / two_rows.SAMPLES) ** 0.5
    assert recall > 0.95  # 0.97 of two samples of one class lie among each other


def test_scale_zero_draws_both_classes_and_a_large_one_costs_variety():
    share, _ = two_rows.trade_off(0 * ONES)
    assert 0.4 < share < 0.6
    shares, recalls = zip(*(two_rows.trade_off(w * ONES) for w in (1, 2, 4)), strict=True)
    assert sorted(shares) == list(shares)
    assert sorted(recalls, reverse=True) == list(recalls)


def test_the_numbers_are_those_of_the_samples_and_wider_classes_overlap_more():
    scales = torch.where(two_rows.SIGMAS < 0.1, 5.0, 1.0)
    made = two_rows.guided(scales)
    real = two_rows.denoisers()[0].sample(two_rows.SAMPLES, Noise(21, per_sample=False))[0]
    assert two_rows.trade_off(scales) == (
        two_rows.recognised(made).double().mean().item(),
        precision_recall(real, made)[1],
    )
    assert two_rows.trade_off(scales, 0.4)[0] < two_rows.trade_off(scales)[0]


@pytest.mark.parametrize("scales", [ONES[:3], ONES[:, None], ONES * torch.nan])
def test_scales_that_are_no_scales_are_refused(scales):
    with pytest.raises(CourseError, match=r"scales: got shape .*, want 20 finite numbers"):
        two_rows.trade_off(scales)


def test_a_list_of_scales_will_do():
    scales = torch.linspace(1, 3, len(two_rows.SIGMAS), dtype=torch.float64)
    assert two_rows.trade_off(scales.tolist()) == two_rows.trade_off(scales)
    assert torch.equal(two_rows.guided(scales.tolist()), two_rows.guided(scales))
