"""The chains whose joint densities are known, against products of steps, Bayes' rule and simulation."""

import pytest
import torch

from diffusion_course import CourseError, Noise, NoiseSchedule, gaussian
from diffusion_course.linear_gaussian import ForwardChain, ReverseChain, exact_points, gaussian_of

F64 = torch.float64
SCHEDULE = NoiseSchedule.from_betas(torch.tensor([0.2, 0.3, 0.4, 0.5], dtype=F64))
Q = ForwardChain(SCHEDULE)
P = ReverseChain(SCHEDULE, torch.tensor([0.4, 0.3], dtype=F64))


def close(a, b, tolerance=1e-10):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def paths(n=7):
    return Noise(0).randn(n, SCHEDULE.T + 1, dtype=F64)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_exact_points_average_a_quadratic_as_standard_normal_numbers_do(n):
    z = exact_points(n)
    matrix, shift = Noise(1).randn(n, n, dtype=F64), Noise(2).randn(n, dtype=F64)
    quadratic = ((z @ matrix + shift) ** 2).sum(1) + 3
    close(quadratic.mean(), (matrix**2).sum() + (shift**2).sum() + 3)


def test_no_points_in_no_dimensions():
    with pytest.raises(CourseError, match="n: got 0, want at least 1"):
        exact_points(0)


def test_an_affine_map_of_noise_has_the_covariance_of_its_matrix():
    matrix, shift = Noise(3).randn(5, 3, dtype=F64), Noise(4).randn(3, dtype=F64)
    found = gaussian_of(lambda z: z @ matrix + shift, 5)
    close(found.mean, shift)
    close(found.covariance_matrix, matrix.T @ matrix)


def test_a_path_is_the_librarys_forward_steps():
    x0, z = Noise(5).randn(7, dtype=F64), Noise(6).randn(7, SCHEDULE.T, dtype=F64)
    x = Q.path(x0, z)
    close(x[:, 0], x0)
    for t in range(1, SCHEDULE.T + 1):
        close(x[:, t], gaussian.forward_step(x[:, t - 1], t, z[:, t - 1], SCHEDULE))


def test_the_joint_densities_are_the_products_of_their_steps():
    x = paths()
    close(Q.joint(x[:, 0]).log_prob(x[:, 1:]), Q.log_steps(x).sum(1))
    close(P.joint().log_prob(x), P.log_last(x) + P.log_steps(x).sum(1))


def test_the_last_marginal_is_the_last_coordinate_of_the_joint():
    x = paths()
    joint = Q.joint(x[:, 0])
    last = torch.distributions.Normal(joint.mean[:, -1], joint.variance[:, -1].sqrt())
    close(Q.log_marginals(x)[:, -1], last.log_prob(x[:, -1]))
    close(Q.log_marginals(x)[:, 0], Q.log_steps(x)[:, 0])


def test_bayes_rule_holds_between_the_models_joint_marginal_and_posterior():
    x = paths(1)
    right = P.marginal().log_prob(x[0, 0]) + P.posterior(x[0, 0]).log_prob(x[0, 1:])
    close(P.joint().log_prob(x)[0], right)


def test_the_models_marginal_is_what_its_paths_end_in():
    x0 = P.path(exact_points(SCHEDULE.T + 1))[:, 0]
    close(x0.mean(), P.marginal().mean)
    close(x0.var(correction=0), P.marginal().variance)
