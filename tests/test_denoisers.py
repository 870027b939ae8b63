"""Networks as denoisers, and the way to eps and back."""

import pytest
import torch
from shared import F64, Net, close, draws, mixture

from diffusion_course import CourseError, NoiseSchedule, gaussian, schedules
from diffusion_course.denoisers import Preconditioned, as_eps, eps_param, flow_param, from_eps

S = NoiseSchedule.from_betas(schedules.linear(1000))
X0, EPS = draws(4, 2, 3), draws(4, 2, 3, seed=1)
TIMES = torch.tensor([1, 20, 500, 1000])


def test_from_eps_interpolates_when_asked():
    seen = []

    def model(x_t, t):
        seen.append(t)
        return torch.ones_like(x_t)

    sigma = torch.stack([(S.sigma(5) * S.sigma(6)).sqrt(), S.sigma(700)])
    x = draws(2, 3)
    rounded, smooth = from_eps(model, S)(x, sigma), from_eps(model, S, rounded=False)(x, sigma)
    assert seen[0].dtype == torch.int64
    assert seen[1].dtype == F64
    close(seen[1], [5.5, 700.0])
    close(rounded, smooth)  # x_t itself is scaled with the sigma that was asked for
    from_eps(model, S, rounded=False)(x.float(), 0.1)
    assert seen[2].dtype == torch.float32


@pytest.mark.parametrize("t", [1, 7, 1000, torch.tensor([1, 7, 400, 1000])])
def test_as_eps_and_from_eps_undo_each_other(t):
    D, x_t = mixture(3), draws(4, 3)
    eps = as_eps(D, S)(x_t, t)
    sigma = S.sigma(t)
    close(as_eps(from_eps(as_eps(D, S), S), S)(x_t, t), eps, 1e-9)
    x = gaussian.to_ve(x_t, sigma)
    close(from_eps(as_eps(D, S), S)(x, sigma), D(x, sigma))
    # and the definition: x_t = sqrt(alpha_bar) D + sqrt(1 - alpha_bar) eps
    t = torch.as_tensor(t).expand(4)
    close(gaussian.diffuse(D(x, sigma), t, eps, S), x_t)


def test_from_eps_goes_to_the_nearest_step():
    seen = []

    def model(x_t, t):
        seen.append(t.tolist())
        return torch.zeros_like(x_t)

    sigma = torch.stack([S.sigma(5) * 1.001, S.sigma(700) * 0.9999, S.sigma(1) / 9, S.sigma(1000) * 9])
    from_eps(model, S)(draws(4, 2), sigma)
    assert seen == [[5, 700, 1, 1000]]


def test_as_eps_of_preconditioned_eps_is_the_network():
    net = Net(EPS)
    close(as_eps(Preconditioned(net, eps_param(S)), S)(X0, TIMES), EPS)
    close(net.seen[0], X0)
    close(net.seen[1], TIMES)


def test_labels_of_another_shape():
    with pytest.raises(CourseError, match=r"^labels: got shape \(3,\)"):
        Preconditioned(Net(), flow_param()).given(torch.ones(3))(X0, 1.0)
