"""The bound of the studies is the library's, and the variance learned at its ends is one of the fixed ones."""

import pytest
import torch

from diffusion_course import Noise, NoiseSchedule, schedules
from diffusion_course.denoisers import from_eps
from diffusion_course.elbo import bits_per_dim, transition_terms
from diffusion_course.experiments.studies import bound
from diffusion_course.guidance import clip
from diffusion_course.losses import fixed_transition

SCHEDULE = NoiseSchedule.from_betas(schedules.cosine(40))
X0 = (torch.randint(0, 256, (6, 1, 4, 4), generator=torch.Generator().manual_seed(0)) / 127.5 - 1).float()


def model(x_t, t):
    """Some predictor of eps that sees the time."""
    return (0.9 + t.to(x_t)[:, None, None, None] / 1000) * x_t


def test_bits_are_those_of_the_library():
    found = bound.bounds(model, X0, SCHEDULE, Noise(1))
    transition = fixed_transition(clip(from_eps(model, SCHEDULE)), SCHEDULE)
    want = bits_per_dim(transition_terms(transition, X0, SCHEDULE, Noise(1)).total, 16)
    assert found["bits per dim, small"] == pytest.approx(want.mean().item(), rel=1e-3)
    assert found["bits per dim, small standard error"] == pytest.approx(want.std().item() / 6**0.5, rel=1e-2)
    assert found["bits per dim, large"] != pytest.approx(found["bits per dim, small"], rel=1e-3)
    assert "bits per dim, learned" not in found


def test_the_loss_is_the_mean_over_all_times():
    found = bound.bounds(lambda x_t, t: torch.zeros_like(x_t), X0.repeat(40, 1, 1, 1), SCHEDULE, Noise(2))
    assert found["loss"] == pytest.approx(1.0, abs=0.02)  # E eps^2


@pytest.mark.parametrize(("v", "like"), [(-1.0, "small"), (1.0, "large")])
def test_a_learned_variance_at_its_ends_is_a_fixed_one(v, like):
    both = bound.bounds(
        lambda x_t, t: torch.cat([model(x_t, t), torch.full_like(x_t, v)], 1), X0, SCHEDULE, Noise(3)
    )
    assert both["bits per dim, learned"] == pytest.approx(both[f"bits per dim, {like}"], rel=1e-5)


def test_how_many_times_go_into_a_batch_does_not_show(monkeypatch):
    whole = bound.bounds(model, X0, SCHEDULE, Noise(4))
    monkeypatch.setattr(bound, "AT_ONCE", 1)
    assert bound.bounds(model, X0, SCHEDULE, Noise(4)) == pytest.approx(whole, rel=1e-4)
